import type { Answer, Attempt, Refusal } from "../attempt.ts";
import type { Ground } from "../ground.ts";
import {
  asControlPlane,
  byPodSecurity,
  byPolicy,
  container,
  deploymentOnHost,
  hostPath,
  podInside,
  podsPath,
  security,
} from "./pods.ts";

const area = "admission bypass";
const byImages = byPolicy("images", "policy images");
const byFinalizers = byPolicy("finalizers", "policy finalizers");

/** Image of a registry that no platform allows. */
const FOREIGN = "registry.invalid/evil:1";

/** Ways around what looks at pods as they are made. */
export function admissionBypassAttempts(ground: Ground): Attempt[] {
  const { tenant, hostPod } = ground;
  const pod = `${hostPath(ground, "pods")}/${hostPod.metadata.name}`;
  const privileged = { privileged: true, allowPrivilegeEscalation: true };
  const image = (id: string, what: string, name: string) =>
    podInside(area, id, what, byImages, (made) => {
      container(made, { image: name });
    });
  const ephemeral = (id: string, what: string, refusal: Refusal, added: object): Attempt => ({
    area,
    id,
    what,
    ...refusal,
    run: async ({ controlPlane }) =>
      await ground.ask(controlPlane, {
        method: "PATCH",
        path: `${pod}/ephemeralcontainers?dryRun=All`,
        contentType: "application/strategic-merge-patch+json",
        body: { spec: { ephemeralContainers: [{ name: "debug", ...added }] } },
      }),
  });
  const denied = (
    id: string,
    what: string,
    path: string,
    body: unknown,
    method: "POST" | "PATCH" | "DELETE" = "POST",
  ) => asControlPlane(area, id, what, { path, method, body });
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const admission = "/apis/admissionregistration.k8s.io/v1";
  const admin = {
    apiGroup: "rbac.authorization.k8s.io",
    kind: "ClusterRole",
    name: "cluster-admin",
  };
  return [
    podInside(area, "init-container", "a privileged init container", byPodSecurity, ({ spec }) => {
      spec["initContainers"] = [
        { ...spec.containers[0], name: "init", securityContext: privileged },
      ];
    }),
    podInside(area, "sidecar", "a privileged sidecar", byPodSecurity, ({ spec }) => {
      spec["initContainers"] = [
        {
          ...spec.containers[0],
          name: "side",
          restartPolicy: "Always",
          securityContext: privileged,
        },
      ];
    }),
    ephemeral(
      "ephemeral-container",
      "a privileged container added to a pod that runs",
      byPodSecurity,
      {
        image: ground.image,
        securityContext: privileged,
      },
    ),
    {
      area,
      id: "generated-name",
      what: "a privileged pod under a generated name",
      ...byPodSecurity,
      run: async () => {
        const made = ground.pod("generated");
        security(made, privileged);
        const answer = await ground.ask(ground.inside, {
          method: "POST",
          path: podsPath(ground),
          body: { ...made, metadata: { generateName: "generated-name-" } },
        });
        return answer.by === "nobody"
          ? await ground.fate("Pod", (name) => name.startsWith("generated-name-"))
          : answer;
      },
    },
    {
      area,
      id: "server-side-apply",
      what: "a privileged pod by Server-Side Apply",
      ...byPodSecurity,
      run: async () => {
        const made = ground.pod("server-side-apply");
        security(made, privileged);
        const answer = await ground.ask(ground.inside, {
          method: "PATCH",
          path: `${podsPath(ground)}/server-side-apply?fieldManager=conformance`,
          contentType: "application/apply-patch+yaml",
          body: { apiVersion: "v1", kind: "Pod", ...made },
        });
        return answer.by === "nobody"
          ? await ground.fate("Pod", (name) => name === "server-side-apply")
          : answer;
      },
    },
    {
      area,
      id: "scale",
      what: "a Deployment of privileged pods, made with none and scaled up",
      ...byPodSecurity,
      run: async (): Promise<Answer> => {
        const made = ground.pod("scale");
        security(made, privileged);
        const spec = { ...made.spec, restartPolicy: "Always" };
        const labels = { "app.kubernetes.io/name": "conformance-scale" };
        const path = `/apis/apps/v1/namespaces/${ground.scratch}/deployments`;
        const steps = [
          {
            method: "POST",
            path,
            body: {
              metadata: { name: "scale" },
              spec: {
                replicas: 0,
                selector: { matchLabels: labels },
                template: { metadata: { labels }, spec },
              },
            },
          },
          { method: "PATCH", path: `${path}/scale/scale`, body: { spec: { replicas: 1 } } },
        ] as const;
        for (const step of steps) {
          const answer = await ground.ask(ground.inside, step);
          if (answer.by !== "nobody") return answer;
        }
        return await ground.fate("Pod", (name) => name.startsWith("scale-"));
      },
    },
    image("image", "an image of another registry", FOREIGN),
    image(
      "image-look-alike",
      "an image of a registry that looks like one of the platform's",
      "registry.k8s.io.invalid/pause:3.10",
    ),
    image(
      "image-path-look-alike",
      "an image whose path looks like one of the platform's",
      `${ground.image.split(":")[0] ?? ""}-evil/coredns:1`,
    ),
    image("image-node", "an image that lies on the node", "localhost/evil:1"),
    podInside(area, "image-init", "an init container of another registry", byImages, ({ spec }) => {
      spec["initContainers"] = [{ ...spec.containers[0], name: "init", image: FOREIGN }];
    }),
    podInside(
      area,
      "image-volume",
      "a volume that is an image of another registry",
      byImages,
      ({ spec }) => {
        spec["volumes"] = [{ name: "image", image: { reference: FOREIGN } }];
      },
    ),
    ephemeral(
      "image-ephemeral",
      "a container of another registry added to a pod that runs",
      byImages,
      {
        image: FOREIGN,
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          runAsNonRoot: true,
          runAsUser: 12345,
          seccompProfile: { type: "RuntimeDefault" },
        },
      },
    ),
    {
      area,
      id: "image-update",
      what: "another image for a pod that runs",
      ...byImages,
      run: async ({ controlPlane }) =>
        await ground.ask(controlPlane, {
          method: "PATCH",
          path: `${pod}?dryRun=All`,
          contentType: "application/json-patch+json",
          body: [{ op: "replace", path: "/spec/containers/0/image", value: FOREIGN }],
        }),
    },
    {
      area,
      id: "image-template",
      what: "a Deployment on the host of another registry",
      ...byImages,
      run: async ({ host }) =>
        await ground.dryRun(
          host,
          `/apis/apps/v1/namespaces/${tenant.namespace}/deployments`,
          deploymentOnHost(ground, (spec) => {
            container({ metadata: {}, spec }, { image: FOREIGN });
          }),
        ),
    },
    {
      area,
      id: "finalizer-inside",
      what: "a pod that cannot be deleted on the host",
      expected: "vCluster",
      run: async (): Promise<Answer> => {
        const made = ground.pod("finalizer-inside");
        const answer = await ground.sync(
          "Pod",
          podsPath(ground),
          { ...made, metadata: { ...made.metadata, finalizers: ["example.com/stay"] } },
          "finalizer-inside",
        );
        await ground.ask(ground.inside, {
          method: "PATCH",
          path: `${podsPath(ground)}/finalizer-inside`,
          body: { metadata: { finalizers: null } },
        });
        if (answer.by !== "nobody") return answer;
        const { metadata } = await ground.copy("finalizer-inside");
        return metadata.finalizers.length > 0
          ? { by: "nobody", text: `on the host it has ${metadata.finalizers.join(", ")}` }
          : { by: "vCluster", text: "on the host it has none" };
      },
    },
    {
      area,
      id: "finalizer",
      what: "a control plane that was taken over, to make an object that cannot be deleted",
      ...byFinalizers,
      run: async ({ controlPlane }) =>
        await ground.dryRun(controlPlane, hostPath(ground, "configmaps"), {
          metadata: { name: ground.scratch, finalizers: ["example.com/stay"] },
        }),
    },
    denied("binding", "put a pod on a node past the scheduler", `${pod}/binding`, {
      target: { kind: "Node", name: "any" },
    }),
    denied(
      "quota-deleted",
      "delete its quota",
      `${hostPath(ground, "resourcequotas")}/tenant`,
      undefined,
      "DELETE",
    ),
    denied(
      "quota-raised",
      "raise its quota",
      `${hostPath(ground, "resourcequotas")}/tenant`,
      { spec: { hard: { pods: "1000" } } },
      "PATCH",
    ),
    denied(
      "limits-deleted",
      "delete its limits",
      `${hostPath(ground, "limitranges")}/tenant`,
      undefined,
      "DELETE",
    ),
    denied(
      "namespace-labels",
      "lower its Pod Security",
      `/api/v1/namespaces/${tenant.namespace}`,
      { metadata: { labels: { "pod-security.kubernetes.io/enforce": "privileged" } } },
      "PATCH",
    ),
    denied(
      "role-binding",
      "give itself more rights in its namespace",
      `${rbac}/namespaces/${tenant.namespace}/rolebindings`,
      { metadata: { name: "more" }, roleRef: admin, subjects: [] },
    ),
    denied("cluster-role-binding", "give itself all rights", `${rbac}/clusterrolebindings`, {
      metadata: { name: "more" },
      roleRef: admin,
      subjects: [],
    }),
    denied(
      "own-role",
      "widen its own Role",
      `${rbac}/namespaces/${tenant.namespace}/roles/vc-${tenant.name}`,
      { rules: [] },
      "PATCH",
    ),
    denied("service-account-made", "make a service account", hostPath(ground, "serviceaccounts"), {
      metadata: { name: "more" },
    }),
    denied(
      "deployment-made",
      "make pods by a controller of the host",
      `/apis/apps/v1/namespaces/${tenant.namespace}/deployments`,
      {},
    ),
    denied(
      "policy-unbound",
      "unbind an admission policy",
      `${admission}/validatingadmissionpolicybindings/tenantry-images`,
      undefined,
      "DELETE",
    ),
    denied(
      "webhook",
      "make a webhook that sees what others do",
      `${admission}/mutatingwebhookconfigurations`,
      {},
    ),
    denied("volume", "make a volume of the node's files", "/api/v1/persistentvolumes", {}),
    denied(
      "priority-class",
      "make a priority of its own",
      "/apis/scheduling.k8s.io/v1/priorityclasses",
      {},
    ),
  ];
}
