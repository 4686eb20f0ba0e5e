import { parseDocument } from "yaml";

/** Where clients find a virtual cluster. */
export interface ClusterEndpoint {
  /** URL that clients connect to. */
  readonly server: string;
  /** Name that they ask for and check in the certificate, where the URL does not say it. */
  readonly tlsServerName?: string;
}

/**
 * The kubeconfig that vCluster wrote, with the endpoint set to what the platform says now: vCluster
 * rewrites its Secret only when it starts again, and knows nothing of server names.
 */
export function withEndpoint(kubeconfig: string, endpoint: ClusterEndpoint): string {
  const document = parseDocument(kubeconfig);
  const cluster = ["clusters", 0, "cluster"];
  if (document.errors.length > 0 || !document.hasIn(cluster)) {
    // The content is a credential: it must not appear in the message.
    throw new Error("the virtual cluster's Secret holds no valid kubeconfig");
  }
  document.setIn([...cluster, "server"], endpoint.server);
  if (endpoint.tlsServerName === undefined) {
    document.deleteIn([...cluster, "tls-server-name"]);
  } else {
    document.setIn([...cluster, "tls-server-name"], endpoint.tlsServerName);
  }
  return document.toString({ lineWidth: 0 });
}
