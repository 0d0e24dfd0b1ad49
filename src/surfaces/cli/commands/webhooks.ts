import { type Command, InvalidArgumentError } from 'commander';
import { type DeliveryEntry, newWebhookSchema, type WebhookEntry } from '../../../contract/api/webhooks.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { type DeliveryState, deliveryStates } from '../../../domain/workspace/webhooks/states.ts';
import type { Webhooks } from '../../../domain/workspace/webhooks/webhooks.ts';
import { idArgument, nonEmpty, repeated, wholeNumber } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A daemon sends what happens as signed CloudEvents (Standard Webhooks), at least once and in order; without a daemon
\`waybill webhooks relay\` sends what is due.

Examples:
  $ waybill webhooks make https://ci.example.com/hooks --type dev.waybill.version.published
  $ waybill webhooks deliveries wh_0123456789abcdef --state dead
  $ waybill webhooks redeliver wh_0123456789abcdef --dead`,
  );
  defineMake(command, context);
  defineList(command, context);
  command
    .command('remove')
    .description('remove a webhook: what waits for it is given up')
    .argument('<webhook>', 'its id, as `webhooks list` shows it', idArgument('webhook'))
    .addHelpText('after', '\nExamples:\n  $ waybill webhooks remove wh_0123456789abcdef')
    .action(async (id: string) => {
      const { removeWebhook } = await import('../../../domain/workspace/webhooks/remove-webhook.ts');
      const { removedWebhookView } = await import('../../../views/webhooks.ts');
      const removed = await within(context(), async (webhooks, actor) =>
        removedWebhookView(await removeWebhook(webhooks, id, actor)),
      );
      await context().result(
        () => removed,
        () => `${removed.id} is removed`,
      );
    });
  defineDeliveries(command, context);
  defineRedeliver(command, context);
  command
    .command('relay')
    .description('send what is due now, without a daemon, and end')
    .addHelpText('after', '\nExamples:\n  $ waybill webhooks relay --json')
    .action(async () => {
      const report = await context().withOwnProgram((program) => program.relayWebhooks());
      const { delivered, failed, dead, notSignable } = report;
      await context().result(
        () => report,
        () =>
          [
            `${delivered} delivered, ${failed} to be tried again, ${dead} dead`,
            ...notSignable.map((id) => `${id} waits for the machine whose key its secret comes from`),
          ].join('\n'),
      );
    });
}

function defineMake(command: Command, context: () => CliContext): void {
  command
    .command('make')
    .description('make a webhook; its secret is shown this once, and is nowhere in the store')
    .argument('<url>', 'https or http; private addresses only as webhooks.allowPrivate allows them', nonEmpty)
    .option(
      '--type <type>',
      'a type of events to be told of, several times if need be; all unless given',
      repeated(nonEmpty),
    )
    .addHelpText('after', '\nExamples:\n  $ waybill webhooks make https://ci.example.com/hooks')
    .action(async (url: string, options: { readonly type?: readonly string[] }) => {
      const { makeWebhook } = await import('../../../domain/workspace/webhooks/make-webhook.ts');
      const { webhookView } = await import('../../../views/webhooks.ts');
      const wanted = newWebhookSchema.safeParse({ url, types: [...(options.type ?? [])] });
      if (!wanted.success) {
        throw new WaybillError('invalid_argument', wanted.error.issues.map(({ message }) => message).join('; '));
      }
      const made = await within(context(), async (webhooks, actor) => {
        const webhook = await makeWebhook(webhooks, wanted.data, actor);
        return { ...webhookView(webhook), secret: webhook.secret };
      });
      await context().result(
        () => made,
        () => made.secret,
      );
      if (!context().json) await context().note(`${made.id}: the secret is not shown again`);
    });
}

function defineList(command: Command, context: () => CliContext): void {
  command
    .command('list', { isDefault: true })
    .description('list the webhooks, without their secrets')
    .addHelpText('after', '\nExamples:\n  $ waybill webhooks list --json')
    .action(async () => {
      const { listWebhooks } = await import('../../../domain/workspace/webhooks/list-webhooks.ts');
      const { listedWebhookView } = await import('../../../views/webhooks.ts');
      const listed = await within(context(), async (webhooks) => (await listWebhooks(webhooks)).map(listedWebhookView));
      await context().result(
        () => ({ webhooks: listed }),
        () => listText(context(), listed),
      );
    });
}

function defineDeliveries(command: Command, context: () => CliContext): void {
  command
    .command('deliveries')
    .description('list what was sent to a webhook, and what waits or was given up')
    .argument('<webhook>', 'its id', idArgument('webhook'))
    .option('--state <state>', `only those that are ${deliveryStates.join(', ')}`, state)
    .option('--limit <count>', 'how many at most', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on where the page before ended', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill webhooks deliveries wh_0123456789abcdef --state dead')
    .action(async (id: string, options: { state?: DeliveryState; limit: number; cursor?: string }) => {
      const { listDeliveries } = await import('../../../domain/workspace/webhooks/list-deliveries.ts');
      const { deliveryView } = await import('../../../views/webhooks.ts');
      const { state: wanted = null, limit, cursor = null } = options;
      const page = await within(context(), async (webhooks) => {
        const found = await listDeliveries(webhooks, id, { state: wanted, limit, cursor });
        return { deliveries: found.deliveries.map(deliveryView), nextCursor: found.nextCursor };
      });
      await context().result(
        () => page,
        () => deliveriesText(context(), page.deliveries),
      );
      if (!context().json && page.nextCursor !== null) await context().note(`more: --cursor ${page.nextCursor}`);
    });
}

function defineRedeliver(command: Command, context: () => CliContext): void {
  command
    .command('redeliver')
    .description('send events to a webhook once more; each keeps its id')
    .argument('<webhook>', 'its id', idArgument('webhook'))
    .argument('[events...]', 'ids of events, as `webhooks deliveries` shows them')
    .option('--dead', 'all that were given up', false)
    .addHelpText('after', '\nExamples:\n  $ waybill webhooks redeliver wh_0123456789abcdef --dead')
    .action(async (id: string, events: readonly string[], { dead }: { readonly dead: boolean }) => {
      if (dead === events.length > 0) {
        throw new WaybillError('invalid_argument', 'say which events to send again: their ids, or --dead', {
          hint: `waybill webhooks deliveries ${id}`,
        });
      }
      const { redeliver, redeliverDead } = await import('../../../domain/workspace/webhooks/redeliver.ts');
      const count = await within(context(), async (webhooks, actor) => {
        if (dead) return redeliverDead(webhooks, id, actor);
        for (const event of events) await redeliver(webhooks, id, event, actor);
        return events.length;
      });
      await context().result(
        () => ({ webhook: id, redelivered: count }),
        () =>
          `${count} ${count === 1 ? 'event is' : 'events are'} sent again by the daemon, or by \`waybill webhooks relay\``,
      );
    });
}

function within<T>(context: CliContext, use: (webhooks: Webhooks, actor: string) => Promise<T>): Promise<T> {
  return context.withOwnProgram(async (program) => {
    const { webhooks, actor } = await program.webhooks();
    return use(webhooks, actor);
  });
}

function listText(context: CliContext, webhooks: readonly WebhookEntry[]): string {
  const { dim, red, yellow } = context.palette;
  if (webhooks.length === 0) return 'No webhooks.';
  const head = ['webhook', 'address', 'types', 'waiting', 'delivered', 'dead'].map(dim);
  return table(
    head,
    webhooks.map(({ id, url, types, signable, deliveries: { pending, delivered, dead } }) => [
      signable ? id : yellow(`${id} (key of another machine)`),
      printableLine(url, 80),
      types.length === 0 ? 'all' : printableLine(types.join(', '), 80),
      String(pending),
      String(delivered),
      dead === 0 ? '0' : red(String(dead)),
    ]),
  );
}

function deliveriesText(context: CliContext, deliveries: readonly DeliveryEntry[]): string {
  const { dim, red, yellow } = context.palette;
  if (deliveries.length === 0) return 'No deliveries.';
  const shown = { pending: yellow, delivered: (text: string) => text, dead: red };
  return table(
    ['event', 'type', 'state', 'tries', 'last answer', 'next try (UTC)'].map(dim),
    deliveries.map((each) => [
      printableLine(each.id),
      printableLine(each.type),
      shown[each.state](each.state),
      String(each.attempts),
      each.lastStatus === null ? printableLine(each.lastError ?? '', 60) : String(each.lastStatus),
      each.nextTryAt === null ? '' : each.nextTryAt.slice(0, 19).replace('T', ' '),
    ]),
  );
}

function state(text: string): DeliveryState {
  const found = deliveryStates.find((each) => each === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`States: ${deliveryStates.join(', ')}.`);
}
