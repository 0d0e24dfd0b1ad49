import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defineWorkflow } from '../../../contract/define.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { CommandPort } from '../../runs/ports.ts';

/** One command that makes the file `arrangeDraft` attaches unless told otherwise: its run can be what a draft is of. */
export const makingFiles = defineWorkflow('making-files', async (run) => {
  await run.exec(['make'], { name: 'make', expectedOutputs: ['bin/tool'] });
  return null;
});

/** The command of `makingFiles`. */
export const makeFiles: CommandPort['run'] = async ({ cwd }) => {
  const path = join(cwd, 'bin/tool');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '#!/bin/sh\n');
  const nothing = { text: '', bytes: 0, digest: digestOf(''), truncated: false };
  return { exitCode: 0, stdout: nothing, stderr: nothing };
};
