import { expect, test } from 'vitest';
import { parseConfiguration } from '../../contract/configuration.ts';
import { WaybillError } from '../../contract/errors.ts';
import { memoryTools } from '../runs/testing/memory-tools.ts';
import { type Asked, whatToRun } from './what-to-run.ts';

const tools = memoryTools({ resize: { inputProblems: () => [{ path: 'width', message: 'is needed' }] } });
const from = { tools, workspace: { root: '/nowhere', configurationPath: null }, configuration: parseConfiguration({}) };
const refusal = (asked: Asked) =>
  whatToRun(from, asked).then(
    () => 'nothing refused it',
    (error: unknown) => (error instanceof WaybillError ? { code: error.code, details: error.details } : error),
  );

test('a workflow brings its own input, or none', async () => {
  expect(await whatToRun(from, { workflow: 'deploy', tasks: [] })).toEqual({
    workflow: 'deploy',
    tool: null,
    input: null,
  });
  expect(await whatToRun(from, { workflow: 'deploy', input: { n: 1 }, tasks: [] })).toMatchObject({ input: { n: 1 } });
});

test('a tool is named as one: by its workflow it would pass by the check of its input, on every surface', async () => {
  const asked = { workflow: 'tool', input: { tool: 'resize', input: 'anything' }, tasks: [] };
  expect(await refusal(asked)).toMatchObject({
    code: 'invalid_input',
    details: { problems: [{ path: 'workflow' }] },
  });
  expect(await refusal({ tool: 'resize', tasks: [] })).toMatchObject({
    code: 'invalid_input',
    details: { problems: [{ path: 'input.width' }] },
  });
  expect(await refusal({ tool: 'crop', tasks: [] })).toMatchObject({ code: 'tool_not_found' });
  expect(await refusal({ workflow: 'task', tasks: [] })).toMatchObject({ code: 'invalid_input' });
});
