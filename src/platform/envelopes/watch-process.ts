import type { Captured, ErrorCapture } from './capture.ts';
import type { Layer } from './error-class.ts';

/**
 * The outermost boundary: what nobody caught, thrown or rejected, leaves an envelope on disk and is told; then the
 * process ends with exit code 3, because its state can no longer be trusted. Dispose to stop watching.
 */
export function watchProcess(
  capture: ErrorCapture,
  layer: Layer,
  tell: (captured: Captured, error: unknown) => void,
): Disposable {
  const onError = (error: unknown): void => {
    try {
      tell(capture.captureNow(error, { layer, component: 'process' }), error);
    } finally {
      process.exit(3);
    }
  };
  // Node turns an unhandled rejection into an uncaught exception.
  process.on('uncaughtException', onError);
  return { [Symbol.dispose]: () => void process.off('uncaughtException', onError) };
}
