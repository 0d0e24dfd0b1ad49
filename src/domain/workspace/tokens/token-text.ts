import { randomBytes } from 'node:crypto';

/** 32 random bytes: nobody guesses them, so the digest needs neither salt nor a slow function. */
const tokenShape = /^wb_[A-Za-z0-9_-]{43}$/;

export function isToken(text: string): boolean {
  return tokenShape.test(text);
}

export function makeToken(): string {
  return `wb_${randomBytes(32).toString('base64url')}`;
}
