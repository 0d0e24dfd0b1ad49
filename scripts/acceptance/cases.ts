import { z } from 'zod';

const caseSchema = z.strictObject({ id: z.string().regex(/^[A-Z]\d+$/), area: z.string(), words: z.string().min(1) });
export const casesSchema = z.array(caseSchema).min(1);
export type AcceptanceCase = z.infer<typeof caseSchema>;

/** Why a case is open, by id. */
export const openSchema = z.record(z.string(), z.string().min(1));

/** The cases of one list: each is a Markdown item that begins with its id; its words go up to the first full stop. */
export function casesIn(markdown: string, area: string): AcceptanceCase[] {
  const items = markdown.matchAll(/^- ([A-Z]\d+) (.+(?:\n {2}.+)*)/gm);
  return [...items].map(([, id = '', text = '']) => ({ id, area, words: firstWords(text) }));
}

function firstWords(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ');
  const sentence = /^.{20,}?[.:;](?= |$)/.exec(line)?.[0].slice(0, -1) ?? line;
  if (sentence.length <= 140) return sentence;
  return `${sentence.slice(0, 140).replace(/\s+\S*$/, '')} ...`;
}
