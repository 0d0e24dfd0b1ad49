/**
 * Settings that keep a look at a checkout free of side effects and of the influence of this machine: no helper
 * program of the checkout is started, and stat data are compared in full.
 */
const settings: readonly string[] = ['core.fsmonitor=false', 'core.hooksPath=/dev/null', 'core.pager=cat'];

export const gitSettings: readonly string[] = settings.flatMap((setting) => ['-c', setting]);

/**
 * The environment for a git that only looks: all GIT_* are taken away, because a hook or another program that
 * starts us may have pointed them at another checkout; no lock is taken, nothing is asked, messages are English.
 */
export function gitEnvironment(parent: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const clean = Object.entries(parent).filter(
    ([name]) => !name.startsWith('GIT_') && name !== 'SSH_ASKPASS' && name !== 'LANGUAGE',
  );
  return {
    ...Object.fromEntries(clean),
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PAGER: 'cat',
    LC_ALL: 'C',
  };
}
