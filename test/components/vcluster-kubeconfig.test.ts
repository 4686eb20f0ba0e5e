import { deepEqual, throws } from "node:assert/strict";

import { parse } from "yaml";
import { z } from "zod";

import { withEndpoint } from "../../components/vcluster-kubeconfig.ts";

// As vCluster 0.36.1 writes it.
const written = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://localhost:8443
  name: acme
contexts:
- context:
    cluster: acme
    user: acme
  name: acme
current-context: acme
kind: Config
preferences: {}
users:
- name: acme
  user:
    client-key-data: S0VZ
`;

describe("withEndpoint", () => {
  const cluster = (text: string) => {
    const { clusters, ...rest } = z.record(z.string(), z.unknown()).parse(parse(text));
    return { clusters, rest };
  };

  it("sets server and server name, and leaves the rest as it is", () => {
    const { clusters, rest } = cluster(
      withEndpoint(written, { server: "https://10.1.2.3:8443", tlsServerName: "acme.example.com" }),
    );
    deepEqual(clusters, [
      {
        name: "acme",
        cluster: {
          "certificate-authority-data": "Q0E=",
          server: "https://10.1.2.3:8443",
          "tls-server-name": "acme.example.com",
        },
      },
    ]);
    deepEqual(rest, cluster(written).rest);
  });

  it("takes away a server name that no longer holds", () => {
    const before = withEndpoint(written, { server: "https://a", tlsServerName: "b" });
    deepEqual(
      withEndpoint(before, { server: "https://localhost:8443" }),
      withEndpoint(written, { server: "https://localhost:8443" }),
    );
  });

  for (const broken of ["", "{", "clusters: []", "token: sentinel"]) {
    it(`refuses ${JSON.stringify(broken)} without repeating it`, () => {
      throws(() => withEndpoint(broken, { server: "https://a" }), {
        message: "the virtual cluster's Secret holds no valid kubeconfig",
      });
    });
  }
});
