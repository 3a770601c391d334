import type { Advice } from "./reason.ts";

/** What keeps a driver from its server, whatever speaks to it. */
export const NETWORK_ADVICE: Advice = [
  [/ECONNREFUSED/, "nothing listens there; start the server, or correct host and port"],
  [/ENOTFOUND|EAI_AGAIN/, "no such host; correct the name, or look after DNS"],
  [/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, "the host does not answer; look for a firewall"],
  [
    /before secure TLS|wrong version number|WRONG_VERSION|packet length too long|InvalidContentType/i,
    "one side speaks TLS and the other does not",
  ],
  [
    /self.signed|unable to verify|UnknownIssuer|certificate/i,
    "the server's certificate is not trusted here",
  ],
];
