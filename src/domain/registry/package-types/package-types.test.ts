import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { genericType } from './generic.ts';
import { npmType } from './npm.ts';
import { ociImageType } from './oci-image.ts';
import type { Entry, PackageType } from './package-type.ts';
import { readJson } from './read-json.ts';
import { waybillRunType } from './waybill-run.ts';

const types = [genericType, npmType, ociImageType, waybillRunType];
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const entry = (path: string, text = path): Entry => ({
  path,
  digest: digestOf(text),
  size: text.length,
  mediaType: null,
});

function problemsOf(
  type: PackageType,
  manifest: unknown,
  {
    name = 'tool',
    version = '1.0.0',
    entries = [] as readonly Entry[],
    mediaType = type.mediaTypes[0],
    run = null,
  } = {},
) {
  const coordinate = { type: type.type, name, version };
  return type.manifestProblems({ mediaType, body: bytes(manifest) }, { coordinate, entries, run });
}

/** As the other tests write them: `/pointer message`, with a star when other entries would mend it. */
const lines = (problems: ReturnType<typeof problemsOf>) =>
  problems.map(({ pointer, message, pending }) => `${pointer} ${message}${pending === true ? ' *' : ''}`);

describe('JSON of a manifest', () => {
  test.each([
    ['', ' is not JSON'],
    ['{', ' is not JSON'],
    ['{"a":1,}', ' is not JSON'],
    ['\ufeff{}', ' is not JSON'],
    [Buffer.from([0x7b, 0xff, 0x7d]), ' is not UTF-8'],
    ['{"a":{"b/~":1,"b\\u002f~":2}}', '/a/b~1~0 is there twice'],
    ['[{"a":1},{"a":1,"a":2}]', '/1/a is there twice'],
    ['{"x":[1,{"__proto__":{}}]}', '/x/1/__proto__ must not be a key'],
    ['{"a":[1,1e999]}', '/a/1 is a number too large to be held'],
    ['['.repeat(100_000), ' is nested deeper than 64'],
    [`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`, ' is nested deeper than 64'],
    [`[${'1,'.repeat(100_001)}1]`, ' has more than 100000 values'],
    [`"${'\\"'.repeat(500_000)}`, ' is not JSON'],
    ['"'.repeat(500_001), ' is not JSON'],
  ])('G7 hostile text %# is refused with its pointer', (text, problem) => {
    const started = performance.now();
    const read = readJson(Buffer.from(text));
    expect('problems' in read ? lines(read.problems) : read).toEqual([problem]);
    // Not a measurement: only that no work grows with the square of a text.
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('G7 all JSON there is is read as everybody reads it', () => {
    const noProto = fc.jsonValue({ maxDepth: 5 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(noProto, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(readJson(Buffer.from(text))).toEqual({ value: JSON.parse(text) });
      }),
    );
  });
});

describe('manifests whatever they are', () => {
  const parts = [
    ...['{', '}', '[', ']', ',', ':', '"', '\\', '1e999', '-', 'null', '__proto__', 'constructor', '\ud800', '\0', ' '],
    ...[
      '"name"',
      '"version"',
      '"bin"',
      '"main"',
      '"files"',
      '"config"',
      '"layers"',
      '"digest"',
      '"schemaVersion"',
      '2',
    ],
    ...['"artifacts"', '"package"', '"mediaType"', '"__proto__"', '"toString"', '"a":{}'],
  ];
  const text = fc.array(fc.constantFrom(...parts), { maxLength: 40 }).map((all) => all.join(''));
  const fields = fc.constantFrom(
    ...['name', 'version', 'bin', 'main', 'files', 'config', 'layers', 'digest', 'size', 'schemaVersion', 'mediaType'],
    ...['artifacts', 'package', 'manifests', 'toString', 'hasOwnProperty', 'dependencies', 'private', 'annotations'],
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fields, tie('any'), { maxKeys: 6 }),
    ),
  })).any;

  test.each(types)('G7 $type never throws, and never takes what is no object', (type) => {
    let taken = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          text,
          value.map((json) => JSON.stringify(json)),
        ),
        fc.constantFrom(...type.mediaTypes),
        fc.array(fc.constantFrom(entry('a'), entry('package.json'), entry('index.js')), { maxLength: 3 }),
        (body, mediaType, entries) => {
          const coordinate = { type: type.type, name: 'a', version: '1.0.0' };
          const manifest = { mediaType, body: Buffer.from(body) };
          const problems = type.manifestProblems(manifest, { coordinate, entries });
          for (const { pointer } of problems)
            expect(pointer).toSatisfy((text: string) => text === '' || text.startsWith('/'));
          if (problems.length > 0) return;
          taken++;
          expect(JSON.parse(manifest.body.toString('utf8'))).toBeTypeOf('object');
        },
      ),
      { numRuns: 1_500 },
    );
    // Only the type without rules of its own can be met by chance.
    if (type === genericType) expect(taken).toBeGreaterThan(0);
  });

  test.each(types)('G5 $type never throws at a name or a version, and says of each violation once', (type) => {
    const odd = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[@a-zA-Z0-9._/+-]*$/),
      fc.string({ size: '+2' }),
    );
    fc.assert(
      fc.property(odd, (given) => {
        for (const problems of [type.nameProblems(given), type.versionProblems(given)]) {
          expect(new Set(problems).size).toBe(problems.length);
          for (const problem of problems) expect(problem).toMatch(/^must /);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('names and versions', () => {
  test.each([
    [npmType, ['tool', '@scope/tool', 'a.b_c-d', '1-two', '@a/b.c', 'x'.repeat(214)]],
    [ociImageType, ['tool', 'org/tool', 'a/b/c', 'a.b_c__d---e', '0']],
    [genericType, ['tool', 'a.b-c_d', '7zip']],
  ] as const)('G5 good names %#', (type, names) => {
    for (const name of names) expect(type.nameProblems(name), name).toEqual([]);
  });

  test.each([
    [npmType, 'Tool', ['must not have capital letters']],
    [npmType, '.tool', ['must not begin with "."']],
    [npmType, '_tool', ['must not begin with "_"']],
    [npmType, '@scope', ['must have a slash after its scope: @scope/name']],
    [npmType, '@/a', ['must have a scope between "@" and "/"']],
    [npmType, '@a/', ['must have a name after its scope']],
    [npmType, '@a/b/c', ['must hold only characters that need no escape in an address']],
    [npmType, 'a b', ['must hold only characters that need no escape in an address']],
    [npmType, 'node_modules', ['must not be node_modules']],
    [npmType, 'x'.repeat(215), ['must have at most 214 characters']],
    [npmType, 'a!', ["must not have any of ~ ' ! ( ) *"]],
    [
      ociImageType,
      'A',
      [
        'must be lower case letters, digits, ".", "_", "-" or "/"',
        'must have parts that begin and end with a letter or a digit',
      ],
    ],
    [ociImageType, 'a//b', ['must not have an empty part between slashes']],
    [ociImageType, 'a..b', ['must have one ".", one or two "_", or any number of "-" between letters and digits']],
    [ociImageType, 'a___b', ['must have one ".", one or two "_", or any number of "-" between letters and digits']],
    [ociImageType, '-a', ['must have parts that begin and end with a letter or a digit']],
  ] as const)('G5 bad name %#', (type, name, problems) => {
    expect(type.nameProblems(name)).toEqual(problems);
  });

  test('G5 names and tags of OCI are those of its own grammar', () => {
    const oci = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
    const part = fc.stringMatching(/^[a-zA0._/-]{0,12}$/);
    fc.assert(
      fc.property(part, (name) => {
        expect(ociImageType.nameProblems(name).length === 0, name).toBe(oci.test(name));
      }),
      { numRuns: 2_000 },
    );
    const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA0._+-]{0,130}$/), (version) => {
        expect(ociImageType.versionProblems(version).length === 0, version).toBe(tag.test(version));
      }),
    );
  });

  test('G5 versions of npm are those of semver.org', () => {
    // The expression semver.org suggests.
    const semver =
      /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;
    let good = 0;
    const number = fc.constantFrom('0', '1', '10', '01', '', 'a');
    const rest = fc.stringMatching(/^[-+.a01]{0,6}$/);
    fc.assert(
      fc.property(fc.tuple(number, number, number), rest, (numbers, more) => {
        const version = `${numbers.join('.')}${more}`;
        if (semver.test(version)) good++;
        expect(npmType.versionProblems(version).length === 0, version).toBe(semver.test(version));
      }),
      { numRuns: 5_000 },
    );
    expect(good).toBeGreaterThan(50);
    expect(npmType.versionProblems('v1.0')).toEqual(['must be a semantic version: three numbers, as 1.2.3']);
    expect(npmType.versionProblems('01.2.3-01+!')).toEqual([
      'must have no number that begins with 0',
      'must have no number in its prerelease that begins with 0',
      'must have a build of letters, digits and "-" between dots',
    ]);
    expect(npmType.versionProblems('1.0.9007199254740992')).toEqual(['must have no number above 9007199254740991']);
  });
});

describe('npm', () => {
  const good = { name: 'tool', version: '1.0.0', main: './lib', bin: { tool: 'bin/tool.js' }, license: 'MIT' };

  test('G7 a package.json that fits its coordinate and its files is taken', () => {
    const body = JSON.stringify(good);
    const entries = [entry('package.json', body), entry('lib/index.js'), entry('bin/tool.js')];
    expect(problemsOf(npmType, body, { entries })).toEqual([]);
    for (const main of ['lib/index', 'lib/index.js', './lib/../lib/', 'lib']) {
      expect(problemsOf(npmType, { ...good, main, bin: undefined }, { entries: entries.slice(1) }), main).toEqual([]);
    }
  });

  test('G7 what other files would mend is pending, and a package.json among them is the manifest', () => {
    const entries = [entry('package.json', '{}'), entry('lib/other.js')];
    expect(lines(problemsOf(npmType, good, { entries }))).toEqual([
      '/main names "./lib", which is no entry *',
      '/bin/tool names "bin/tool.js", which is no entry *',
      ` differs from the entry package.json, ${digestOf('{}')} *`,
    ]);
  });

  test('G7 everything that is wrong is listed with its pointer', () => {
    const bad = { ...good, name: 'other', version: '1.0.1', main: '../a', bin: { 'a/b': '/etc/passwd' } };
    expect(lines(problemsOf(npmType, bad))).toEqual([
      '/name must be "tool"',
      '/version must be "1.0.0"',
      '/main must name a file inside of the package',
      '/bin/a~1b must name a file inside of the package',
    ]);
    const shapes = { ...good, private: true, type: 'esm', files: ['a', 1], dependencies: { a: {} }, keywords: 'a,b' };
    expect(
      lines(problemsOf(npmType, { ...shapes, bin: { a: 1 }, author: { email: 'a@b' }, version: undefined })).sort(),
    ).toEqual([
      '/author/name expected string, received undefined',
      '/bin/a expected string, received number',
      '/dependencies/a expected string, received object',
      '/files/1 expected string, received number',
      '/keywords expected array, received string',
      '/private must not be true: npm publishes no private package',
      '/type Invalid option: expected one of "commonjs"|"module"',
      '/version expected string, received undefined',
    ]);
    expect(lines(problemsOf(npmType, '[]'))).toEqual([' expected object, received array']);
  });
});

describe('OCI images', () => {
  const [manifestType, indexType] = ociImageType.mediaTypes;
  const descriptor = (text: string, mediaType = 'application/octet-stream') => ({
    mediaType,
    digest: digestOf(text),
    size: text.length,
  });
  const image = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('config', 'application/vnd.oci.image.config.v1+json'),
    layers: [descriptor('layer 1'), descriptor('layer 2')],
    annotations: { 'org.opencontainers.image.title': 'tool' },
  };
  const entries = ['config', 'layer 1', 'layer 2'].map((text) => entry(`blobs/${text}`, text));

  test('G7 an image whose config and layers are entries is taken, and an index of images', () => {
    expect(problemsOf(ociImageType, image, { entries })).toEqual([]);
    const platform = { architecture: 'arm64', os: 'linux' };
    const index = { schemaVersion: 2, manifests: [{ ...descriptor('image', manifestType), platform }] };
    const about = { entries: [entry('image', 'image')], mediaType: indexType ?? '' };
    expect(problemsOf(ociImageType, index, about)).toEqual([]);
    expect(lines(problemsOf(ociImageType, index, { ...about, entries: [] }))).toEqual([
      '/manifests/0/digest is no entry *',
    ]);
  });

  test('G7 everything that is wrong is listed with its pointer', () => {
    const wrong = {
      ...image,
      mediaType: indexType,
      layers: [descriptor('layer 3'), { ...descriptor('layer 1'), size: 1 }],
    };
    expect(lines(problemsOf(ociImageType, wrong, { entries }))).toEqual([
      `/mediaType must be ${manifestType}, as the content type says`,
      '/layers/0/digest is no entry *',
      '/layers/1/size is not that of the entry, 7',
    ]);
    const shapes = {
      schemaVersion: 1,
      config: { mediaType: 'x', digest: 'sha512:00', size: -1 },
      annotations: { a: 1 },
    };
    expect(lines(problemsOf(ociImageType, shapes)).sort()).toEqual([
      '/annotations/a expected string, received number',
      '/config/digest must be sha256:<64 hex>: entries have no other digests',
      '/config/mediaType must be a media type as RFC 6838 has them',
      '/config/size Too small: expected number to be >=0',
      '/layers expected array, received undefined',
      '/schemaVersion must be 2',
    ]);
    const empty = { ...image, config: descriptor('{}', 'application/vnd.oci.empty.v1+json'), layers: [] };
    expect(lines(problemsOf(ociImageType, empty, { entries: [entry('empty', '{}')] }))).toEqual([
      '/artifactType is needed when the config is empty',
    ]);
  });
});

describe('releases of runs', () => {
  const run = parseId('run', 'run-20260101-000000-00000000');
  const release = {
    schema: 'waybill.release.v1',
    package: { name: 'tool', version: '1.0.0' },
    run,
    workflow: 'task',
    commit: 'a'.repeat(40),
    dirty: false,
    snapshot: digestOf('snapshot'),
    ledger: { events: 7, digest: digestOf('ledger') },
    artifacts: [{ path: 'out/a', digest: digestOf('out/a'), size: 5 }],
  };
  const check = (manifest: unknown, entries: readonly Entry[], of: typeof run | null = run) =>
    lines(
      waybillRunType.manifestProblems(
        { mediaType: 'application/json', body: bytes(manifest) },
        { coordinate: { type: 'waybill-run', name: 'tool', version: '1.0.0' }, entries, run: of },
      ),
    );

  test('G7 a release that names its run, its coordinate and all its files is taken', () => {
    expect(check(release, [entry('out/a')])).toEqual([]);
  });

  test('G7 everything that is wrong is listed with its pointer', () => {
    const other = {
      ...release,
      package: { name: 'a', version: '2' },
      artifacts: [...release.artifacts, ...release.artifacts],
    };
    expect(check(other, [], null)).toEqual([
      '/package/name must be "tool"',
      '/package/version must be "1.0.0"',
      '/run is not that of the draft, which names none',
      '/artifacts/0/path is no entry *',
      '/artifacts/1/path is named twice',
      '/artifacts/1/path is no entry *',
    ]);
    expect(check(release, [entry('out/a', 'other'), entry('more')])).toEqual([
      `/artifacts/0/digest is not that of the entry, ${digestOf('other')} *`,
      '/artifacts does not name the entry "more": all of a release comes from its run *',
    ]);
    expect(check({ ...release, commit: 'main', more: 1 }, [entry('out/a')])).toEqual([
      '/commit must be the 40 or 64 hex digits of a commit',
      '/more is not known here',
    ]);
  });
});
