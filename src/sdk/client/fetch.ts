/** How the client reaches the network: `globalThis.fetch` is one. Must honour `request.signal`, also for the body. */
export type Fetch = (request: Request) => Promise<Response>;
