import { equal } from "node:assert/strict";

import { refusingLayer } from "../../conformance/attempt.ts";

describe("refusingLayer", () => {
  // What Kubernetes 1.36 answered, word by word.
  const answers = [
    [
      403,
      'pods "privileged" is forbidden: violates PodSecurity "restricted:latest": privileged (container "main" must not set securityContext.privileged=true)',
      "Pod Security",
    ],
    [
      403,
      "pods \"image\" is forbidden: ValidatingAdmissionPolicy 'tenantry-images' with binding 'tenantry-images' denied request: image registry.invalid/evil:1 is from a registry",
      "policy images",
    ],
    [
      403,
      'pods "cpu" is forbidden: exceeded quota: tenant, requested: limits.cpu=7, used: limits.cpu=1, limited: limits.cpu=6',
      "quota",
    ],
    [
      403,
      'pods "x" is forbidden: failed quota: tenant: must specify limits.cpu for: main',
      "quota",
    ],
    [
      403,
      'secrets is forbidden: User "system:serviceaccount:vc-acme:vc-acme" cannot list resource "secrets" in API group "" in the namespace "vc-globex"',
      "RBAC",
    ],
    [
      403,
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "x" (groups=["y"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:["*"]}',
      "RBAC",
    ],
    [401, "Unauthorized", "authentication"],
    [404, 'namespaces "vc-globex" not found', "API server"],
    [422, 'Pod "x" is invalid: spec.containers: Required value', "API server"],
    // Somebody else's policy is none of the platform's.
    [
      403,
      "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'others' with binding 'others' denied request: no",
      "API server",
    ],
  ] as const;
  for (const [status, message, layer] of answers) {
    it(`tells ${layer} by ${status} ${message.slice(0, 40)}…`, () => {
      equal(refusingLayer(status, message), layer);
    });
  }
});
