/** `pending` until the receiver took it, or until it was tried often enough; a redelivery makes either pending again. */
export const deliveryStates = ['pending', 'delivered', 'dead'] as const;
export type DeliveryState = (typeof deliveryStates)[number];
