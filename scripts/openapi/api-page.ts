import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { httpStatus } from '../../src/contract/api/problem.ts';
import { problemsOfRoute } from '../../src/contract/api/route-problems.ts';
import { type ErrorCode, errorCodes } from '../../src/contract/errors.ts';
import { isJsonObject, type JsonObject } from '../../src/contract/json.ts';
import { listAt, objectAt } from './json.ts';
import { fieldsOf, meaningOf, shapeText } from './shape-text.ts';

/** A part of `docs/api.md` that is made: `<!-- made: NAME -->` to `<!-- /made -->`. */
const made = /^<!-- made: ([^>]+) -->\n[\s\S]*?^<!-- \/made -->$/gm;

/**
 * The page with its made parts as the document has them now; what people wrote and what commands printed stays.
 * @throws Error for a part nobody can make, and for an operation without a part
 */
export async function renderApiPage(page: string, document: JsonObject): Promise<string> {
  const operations = operationsOf(document);
  const shapes = await shapesText(document);
  const tags = listAt(document, 'tags').map((tag) => (isJsonObject(tag) ? `${tag.name}` : ''));
  const told = new Set<string>();
  const rendered = page.replaceAll(made, (_, name: string) => {
    told.add(name);
    return `<!-- made: ${name} -->\n${name === 'shapes' ? shapes : partOf(name, operations, tags)}\n<!-- /made -->`;
  });
  const missing = [...operations.keys()].filter((id) => !told.has(`route ${id}`));
  if (missing.length > 0) throw new Error(`docs/api.md has no part for ${missing.join(', ')}`);
  return rendered;
}

/** The operations no command of the page asks for. */
export function operationsWithoutExample(page: string, document: JsonObject): string[] {
  const commands = [...page.matchAll(/^\$ .*$/gm)].map(([command]) => command);
  // A place of its own comes before one that a parameter could be: `/versions/drafts` before `/{type}/{name}`.
  const open = (path: string) => path.split('{').length;
  const operations = [...operationsOf(document)].sort(([, a], [, b]) => open(a.path) - open(b.path));
  const shown = commands.map((command) => {
    const fits = operations.find(([, { method, path }]) => method === methodOf(command) && asksFor(command, path));
    return fits?.[0];
  });
  return [...operationsOf(document).keys()].filter((id) => !shown.includes(id));
}

function asksFor(command: string, path: string): boolean {
  const place = path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/?"\' ]+');
  return new RegExp(`\\$URL${place}(?=[?"' ]|$)`).test(command);
}

/** The method curl uses. */
function methodOf(command: string): string {
  const said = /-X (\w+)/.exec(command)?.[1];
  if (said !== undefined) return said;
  if (command.includes('--head ')) return 'HEAD';
  if (command.includes('--upload-file ')) return 'PUT';
  return command.includes('--json ') ? 'POST' : 'GET';
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operation: JsonObject;
}

function operationsOf(document: JsonObject): ReadonlyMap<string, Operation> {
  const found = new Map<string, Operation>();
  for (const [path, item] of Object.entries(objectAt(document, 'paths'))) {
    for (const [method, operation] of Object.entries(isJsonObject(item) ? item : {})) {
      if (isJsonObject(operation)) {
        found.set(`${operation.operationId}`, { method: method.toUpperCase(), path, operation });
      }
    }
  }
  return found;
}

function partOf(name: string, operations: ReadonlyMap<string, Operation>, tags: readonly string[]): string {
  const operation = operations.get(/^route (\w+)$/.exec(name)?.[1] ?? '');
  if (operation !== undefined) return routeText(operation);
  if (name === 'routes') return routesTable([...operations.values()], tags);
  if (name === 'codes') return codesTable();
  throw new Error(`docs/api.md asks for "${name}", and nothing makes that`);
}

/** All routes, those of one tag together, in the order in which the document has its tags. */
function routesTable(operations: readonly Operation[], tags: readonly string[]): string {
  const rows = tags.flatMap((tag) => {
    const group = operations.filter(({ operation }) => listAt(operation, 'tags').includes(tag));
    return [`| **${tag}** | | |`, ...group.map(routeRow)];
  });
  return ['| route | role | what it does |', '|---|---|---|', ...rows].join('\n');
}

function routeRow({ method, path, operation }: Operation): string {
  const role = operation['x-waybill-role'];
  return `| \`${method} ${path}\` | ${role === 'open' ? 'no token' : role} | ${operation.summary} |`;
}

function routeText({ method, path, operation }: Operation): string {
  const role = operation['x-waybill-role'];
  const parameters = listAt(operation, 'parameters').filter(isJsonObject);
  const takes = parameters.map((parameter) => {
    const schema = objectAt(parameter, 'schema');
    const description = typeof parameter.description === 'string' ? { description: parameter.description } : {};
    const name = `${parameter.in === 'header' ? headerName(`${parameter.name}`) : parameter.name}`;
    const needed = parameter.required === true ? '' : '?';
    return `- ${parameter.in} \`${name}${needed}: ${shapeText(schema)}\`${said(meaningOf({ ...schema, ...description }))}`;
  });
  const body = objectAt(operation, 'requestBody');
  const [[type, content] = []] = Object.entries(objectAt(body, 'content'));
  if (type !== undefined && content !== undefined && isJsonObject(content)) {
    const as = type === 'application/json' ? '' : ` as \`${type}\``;
    takes.push(`- body${body.required === true ? '' : ', if any'} \`${shapeText(content.schema)}\`${as}`);
  }
  return [
    `**\`${method} ${path}\`** (${role === 'open' ? 'no token' : role})`,
    ...(takes.length > 0 ? ['', ...takes] : []),
    '',
    ...answerLines(operation),
  ].join('\n');
}

function said(meaning: string): string {
  return meaning === '' ? '' : `: ${meaning}`;
}

function headerName(name: string): string {
  return name.replaceAll(/(^|-)(id$|\w)/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}

function answerLines(operation: JsonObject): string[] {
  const common: ReadonlySet<string> = new Set(
    problemsOfRoute({ role: 'repo.admin', takesInput: true, takesBody: true }),
  );
  const problems: string[] = [];
  const answers: string[] = [];
  for (const [status, answer] of Object.entries(objectAt(operation, 'responses'))) {
    if (!isJsonObject(answer)) continue;
    const codes = listAt(answer, 'x-waybill-codes').map(String);
    const own = codes.filter((code) => !common.has(code));
    problems.push(...own.map((code) => `${status} \`${code}\``));
    const { 'application/problem+json': _, ...content } = objectAt(answer, 'content');
    if (codes.length > 0 && Object.keys(content).length === 0) continue;
    const description = `${answer.description}`.replace(/ A problem: .*/, '');
    answers.push(`- ${status} ${contentText(content)}${description}`);
  }
  return [...answers, ...(problems.length > 0 ? [`- problems of its own: ${problems.join(', ')}`] : [])];
}

function contentText(byType: JsonObject): string {
  const content = Object.entries(byType);
  const [first] = content;
  if (first === undefined) return 'without a body: ';
  const shape = isJsonObject(first[1]) ? shapeText(first[1].schema) : 'unknown';
  const types = content.map(([type]) => type).filter((type) => type !== 'application/json');
  return `\`${shape}\`${types.length > 0 ? ` as ${types.map((type) => `\`${type}\``).join(' or ')}` : ''}: `;
}

/** Every code, by status and exit code. */
function codesTable(): string {
  const codes = Object.keys(errorCodes).filter((code): code is ErrorCode => Object.hasOwn(errorCodes, code));
  const groups = Map.groupBy(codes, (code) => `${httpStatus(code)} | ${errorCodes[code]}`);
  const rows = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, members]) => {
      return `| ${key} | ${members.map((code) => `\`${code}\``).join(', ')} |`;
    });
  return ['| status | exit code | codes |', '|---|---|---|', ...rows].join('\n');
}

/** All named shapes as TypeScript, laid out by the formatter of this repository. */
async function shapesText(document: JsonObject): Promise<string> {
  const schemas = Object.entries(objectAt(objectAt(document, 'components'), 'schemas'));
  const shapes = schemas.map(([name, schema]) => (isJsonObject(schema) ? shapeBlock(name, schema) : ''));
  return ['```ts', (await formatted(shapes.join('\n\n'))).trimEnd(), '```'].join('\n');
}

function shapeBlock(name: string, schema: JsonObject): string {
  const about = typeof schema.description === 'string' ? `/** ${schema.description} */\n` : '';
  const fields = fieldsOf(schema);
  if (fields.length === 0) return `${about}type ${name} = ${shapeText(schema)};`;
  const lines = fields.map(({ name: field, needed, type, meaning }) => {
    return `${meaning === '' ? '' : `/** ${meaning} */\n`}${field}${needed ? '' : '?'}: ${type};`;
  });
  return `${about}interface ${name} {\n${lines.join('\n')}\n}`;
}

function formatted(source: string): Promise<string> {
  const root = join(import.meta.dirname, '..', '..');
  const biome = join(root, 'node_modules', '.bin', 'biome');
  return new Promise((resolve, reject) => {
    const child = execFile(biome, ['format', '--stdin-file-path=shapes.ts'], { cwd: root }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
    child.stdin?.end(source);
  });
}
