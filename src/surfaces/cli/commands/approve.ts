import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { defineAnswer } from '../define-answer.ts';

export function define(command: Command, context: () => CliContext): void {
  defineAnswer('approve', command, context);
}
