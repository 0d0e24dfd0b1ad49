import { randomBytes } from 'node:crypto';
import { createRedactor } from '../redaction/redactor.ts';
import { createEmitters, type EmitterFor, type EmitterSettings } from './emitter.ts';

/** Settings of emitters for tests: a key of their own, no secrets from the environment. */
export function testSettings(settings: Partial<EmitterSettings> = {}): EmitterSettings {
  return {
    workspaceId: 'ws-test',
    release: '0.0.0-test',
    inputKey: randomBytes(32),
    redactor: createRedactor('envelope'),
    ...settings,
  };
}

export function testEmitters(settings: Partial<EmitterSettings> = {}): EmitterFor {
  return createEmitters(testSettings(settings));
}
