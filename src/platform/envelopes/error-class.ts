/** The layers that can fail on their own account; L1 is a page in a browser and leaves no envelope. */
export const layers = ['L2', 'L3', 'L4', 'L5', 'L6'] as const;
export type Layer = (typeof layers)[number];

export const severities = ['debug', 'info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** Something Waybill stands on did not work. */
export const infraClasses = [
  'infra.network',
  'infra.database',
  'infra.external_service',
  'infra.timeout',
  'infra.resource_exhausted',
  'infra.connection',
] as const;
/** A rule of the domain said no. */
export const domainClasses = [
  'domain.validation',
  'domain.authorization',
  'domain.rate_limit',
  'domain.budget_exceeded',
  'domain.policy_violation',
  'domain.constraint',
  'domain.not_found',
] as const;
/** Waybill itself is wrong, or wrongly set up. */
export const systemClasses = [
  'system.internal',
  'system.configuration',
  'system.recovery_failed',
  'system.state_corruption',
  'system.assertion',
] as const;

export const errorClasses = [...infraClasses, ...domainClasses, ...systemClasses, 'unknown'] as const;
/** The 19 classes of failure. */
export type ErrorClass = (typeof errorClasses)[number];
export type InfraClass = (typeof infraClasses)[number];
export type DomainClass = (typeof domainClasses)[number];
export type SystemClass = (typeof systemClasses)[number];

/** What a layer may say: the domain its rules, all others their means, everyone that Waybill is at fault or nothing is known. */
export type ClassOf<L extends Layer> = SystemClass | 'unknown' | (L extends 'L4' ? DomainClass : InfraClass);

/** The same rule at run time; the database has it once more, as a CHECK. */
export function mayEmit(layer: Layer, errorClass: ErrorClass): boolean {
  if (!layers.includes(layer) || !errorClasses.includes(errorClass)) return false;
  if (errorClass.startsWith('domain.')) return layer === 'L4';
  if (errorClass.startsWith('infra.')) return layer !== 'L4';
  return true;
}
