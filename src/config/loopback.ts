/** Addresses that only programs on this machine can reach. store/database-url.ts has the same for databases. */

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/;

/** @param host as in HOST, or as in a URL, with brackets around an IPv6 address */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
