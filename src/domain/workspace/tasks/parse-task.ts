import { isMap, LineCounter, parseDocument } from 'yaml';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest, TaskId } from '../../../contract/ids.ts';
import { problemsText, type ShapeProblem, shapeProblems } from '../../../contract/shape-problems.ts';
import { type TaskFrontMatter, taskFrontMatterSchema } from '../../../contract/task.ts';
import { digestOf } from '../../../platform/digests/digest.ts';

/** A unit of work a person asks for: the front matter of its file, and the text below it as the goal. */
export interface Task extends TaskFrontMatter {
  readonly id: TaskId;
  /** Relative to the workspace: `waybill.tasks/T-0042.md`. */
  readonly path: string;
  readonly goal: string;
  /** Of the bytes of the file. */
  readonly digest: Digest;
}

/**
 * Reads the text of a task file: YAML 1.2 between two lines of `---`, then the goal in Markdown.
 * @throws WaybillError `task_invalid` with each problem's line or path
 */
export function parseTask(id: TaskId, path: string, text: string): Task {
  const [, frontMatter, goal] =
    /^\uFEFF?---[ \t]*\r?\n((?:[\s\S]*?\r?\n)?)---[ \t]*(?:\r?\n([\s\S]*))?$/.exec(text) ?? [];
  if (frontMatter === undefined) {
    throw invalid(path, [{ path: '', message: 'line 1: it must begin with "---", a title, and "---" again' }]);
  }
  const parsed = taskFrontMatterSchema.safeParse(yamlOf(path, frontMatter));
  if (!parsed.success) throw invalid(path, shapeProblems(parsed.error.issues));
  const trimmed = (goal ?? '').trim();
  if (trimmed === '')
    throw invalid(path, [{ path: '', message: 'there is no text below the front matter: it is the goal' }]);
  return { ...parsed.data, id, path, goal: trimmed, digest: digestOf(text) };
}

function yamlOf(path: string, text: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  const broken = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    path: '',
    // The front matter begins on the second line of the file.
    message: `line ${lines.linePos(pos[0]).line + 1}: ${message.split('\n')[0]}`,
  }));
  if (broken.length > 0) throw invalid(path, broken);
  if (document.contents !== null && !isMap(document.contents)) {
    throw invalid(path, [{ path: '', message: 'line 2: the front matter must be settings like "title: ..."' }]);
  }
  try {
    return document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw invalid(path, [{ path: '', message: error instanceof Error ? error.message : String(error) }], error);
  }
}

function invalid(path: string, problems: readonly ShapeProblem[], cause?: unknown): WaybillError {
  return new WaybillError('task_invalid', `${path} is not a valid task: ${problemsText(problems)}`, {
    hint: 'A task begins with "---", "title: ...", "---", then the goal as text; known settings are title, inputs, expectedOutputs and checks.',
    details: { path, problems: problems.map((problem) => ({ path: problem.path, message: problem.message })) },
    cause,
  });
}
