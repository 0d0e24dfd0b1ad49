import { defineWorkflow } from '../../contract/define.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';

/** A workflow of one step that a test lets go, and how many of it are at work at once. */
export class Gate {
  readonly began: string[] = [];
  atWork = 0;
  most = 0;
  /** The most at work at once of those whose input begins with "scarce". */
  mostScarce = 0;
  #scarce = 0;
  readonly #waiting: (() => void)[] = [];
  #open = false;

  workflow(name = 'gated'): AnyWorkflow {
    return defineWorkflow(name, { snapshot: 'none' }, async (run, input) => {
      await run.step('work', {}, async ({ signal }) => {
        this.began.push(String(input));
        this.atWork += 1;
        this.most = Math.max(this.most, this.atWork);
        const isScarce = String(input).startsWith('scarce');
        if (isScarce) this.#scarce += 1;
        this.mostScarce = Math.max(this.mostScarce, this.#scarce);
        try {
          await new Promise<void>((resolve, reject) => {
            if (this.#open) resolve();
            this.#waiting.push(resolve);
            signal.addEventListener('abort', () => reject(signal.reason));
          });
          return null;
        } finally {
          this.atWork -= 1;
          if (isScarce) this.#scarce -= 1;
        }
      });
      return run.step('after', {}, () => 'done');
    });
  }

  letOneGo(): void {
    this.#waiting.shift()?.();
  }

  open(): void {
    this.#open = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
