import { parseId } from '../../contract/ids.ts';
import type { Engine } from '../../domain/runs/engine.ts';
import type { Verification } from '../../domain/runs/evidence/verify.ts';
import type { OwnProgram, VerifyReport } from './program.ts';

/** What leaves the store as evidence, comes in as such, and is proven: loaded when it is asked for. */
export function createPapers(
  engine: Engine,
  actor: string,
  runsFolder: string,
): Pick<OwnProgram, 'exportRun' | 'importBundle' | 'verifyRun'> {
  return {
    exportRun: async (text, request) => {
      const runId = parseId('run', text);
      if (request.kind === 'files') {
        const { writeRunFiles } = await import('../../domain/runs/evidence/write-files.ts');
        const { folder, files, bytes } = await writeRunFiles(engine, runId, runsFolder);
        return { runId, path: folder, files, bytes, digest: null };
      }
      const { writeBundle } = await import('../../domain/runs/evidence/bundle.ts');
      return { runId, path: request.out, files: 1, ...(await writeBundle(engine, runId, request.out)) };
    },
    importBundle: async (file) => {
      const { importBundle } = await import('../../domain/runs/evidence/import-bundle.ts');
      return importBundle(engine, file, actor);
    },
    verifyRun: async (text) => {
      const { verifyRun } = await import('../../domain/runs/evidence/verify.ts');
      return verifyReport(await verifyRun(engine, parseId('run', text)));
    },
  };
}

/** Verifies a bundle or a folder of evidence files; no workspace is needed. @throws WaybillError `file_read_failed` */
export async function verifyPath(path: string): Promise<VerifyReport> {
  const verify = await import('../../domain/runs/evidence/verify.ts');
  return verifyReport(await verify.verifyPath(path));
}

/** Evidence carries no signatures yet, so whatever key was given, it is unsigned. */
function verifyReport({ firstBroken, checked, ...rest }: Verification): VerifyReport {
  const problems =
    firstBroken === null
      ? []
      : [
          {
            where: firstBroken.where,
            message: `${firstBroken.link}: expected ${firstBroken.expected}, found ${firstBroken.actual}`,
          },
        ];
  return { ...rest, checked: { ...checked }, problems };
}
