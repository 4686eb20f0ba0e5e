import { z } from "zod";

import { IN_CLUSTER } from "../../components/argocd-manifests.ts";
import type { Answer, Attempt, Refusal } from "../attempt.ts";
import type { Ground } from "../ground.ts";

const area = "Argo CD";
const bySources: Refusal = { expected: "Argo CD project", rail: "sources of the AppProject" };
const byDestinations: Refusal = {
  expected: "Argo CD project",
  rail: "destinations of the AppProject",
};
const byRegistration: Refusal = {
  expected: "Argo CD registration",
  rail: "namespaces of the registration",
};
const byKinds: Refusal = { expected: "Argo CD project", rail: "kinds of the AppProject" };
const byRole: Refusal = { expected: "RBAC", rail: "Role of Argo CD inside" };

const Application = z.object({
  status: z
    .object({
      conditions: z.array(z.object({ type: z.string(), message: z.string() })).default([]),
      operationState: z
        .object({
          phase: z.string(),
          message: z.string().default(""),
          syncResult: z
            .object({ resources: z.array(z.object({ message: z.string().default("") })).nullish() })
            .nullish(),
        })
        .optional(),
    })
    .prefault({}),
});

/** Folders of the run's branch, each with what one attempt deploys. */
const FOLDERS: Readonly<Record<string, (ground: Ground) => object>> = {
  fine: ({ scratch, runLabels: labels }) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: scratch, labels },
  }),
  "cluster-kind": ({ scratch, runLabels: labels }) => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: scratch, labels },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [],
  }),
  "namespaced-kind": ({ scratch, runLabels: labels }) => ({
    apiVersion: "v1",
    kind: "PodTemplate",
    metadata: { name: scratch, labels },
    template: { spec: { containers: [] } },
  }),
  "other-namespace": ({ scratch, runLabels: labels }) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: scratch, namespace: "kube-system", labels },
  }),
  application: ({ scratch, runLabels: labels }) => ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name: scratch, labels },
    spec: {
      project: "default",
      destination: { server: IN_CLUSTER, namespace: "kube-system" },
      source: { repoURL: "https://example.com/evil.git", path: ".", targetRevision: "HEAD" },
    },
  }),
};

/** Ways out of the tenant's project, by what its repository and its Applications say. */
export function argocdAttempts(ground: Ground): Attempt[] {
  const { other, branch, field } = ground;
  const { serverInHost: server, cloneUrl } = ground.tenant;
  const { settings } = field;
  const own = { server, namespace: "default" };
  const source = (path: string) => ({ repoURL: cloneUrl, path, targetRevision: branch });
  const application = (id: string, what: string, refusal: Refusal, spec: object): Attempt => ({
    area,
    id: `application-${id}`,
    what: `an Application ${what}`,
    ...refusal,
    run: async () =>
      await outcome(ground, id, {
        project: ground.tenant.name,
        source: source("fine"),
        destination: own,
        ...spec,
      }),
  });
  const asArgocd = (id: string, what: string, path: string, body: object): Attempt => ({
    area,
    id: `token-${id}`,
    what: `whoever has Argo CD's token, to ${what}`,
    ...byRole,
    run: async () => await ground.dryRun(ground.argocdInside, path, body),
  });
  return [
    ...(other === undefined
      ? []
      : [
          application("other-server", "for another tenant's virtual cluster", byDestinations, {
            destination: {
              server: other.serverInHost,
              namespace: "default",
            },
          }),
          application(
            "other-name",
            "for another tenant's virtual cluster, by its name",
            { expected: "Argo CD project" },
            {
              destination: { name: other.name, namespace: "default" },
            },
          ),
          application(
            "other-project",
            "in another tenant's project",
            { expected: "Argo CD project" },
            {
              project: other.name,
            },
          ),
          application("other-source", "of another tenant's repository", bySources, {
            source: {
              ...source("fine"),
              repoURL: other.cloneUrl,
              targetRevision: "HEAD",
            },
          }),
        ]),
    application("host", "for the host cluster", byDestinations, {
      destination: { server: IN_CLUSTER, namespace: ground.tenant.namespace },
    }),
    application("host-name", "for the host cluster, by its name", byDestinations, {
      destination: { name: "in-cluster", namespace: ground.tenant.namespace },
    }),
    application("argocd-namespace", "for Argo CD's own namespace", byDestinations, {
      destination: { server: IN_CLUSTER, namespace: settings.argocd.namespace },
    }),
    application("other-namespace", "for a namespace that is not the project's", byDestinations, {
      destination: { server, namespace: "kube-system" },
    }),
    application(
      "platform-project",
      "in the project of its own virtual cluster",
      { expected: "Argo CD project" },
      {
        project: ground.tenant.namespace,
      },
    ),
    application("foreign-source", "of a repository on the internet", bySources, {
      source: {
        repoURL: "https://github.com/argoproj/argocd-example-apps.git",
        path: "guestbook",
        targetRevision: "HEAD",
      },
    }),
    application("chart-source", "of the chart that makes virtual clusters", bySources, {
      source: {
        repoURL: settings.charts.vcluster.repository,
        chart: "vcluster",
        targetRevision: settings.charts.vcluster.version,
      },
    }),
    application("two-sources", "of its own repository and another one", bySources, {
      source: undefined,
      sources: [
        source("fine"),
        {
          repoURL: "https://github.com/argoproj/argocd-example-apps.git",
          path: "guestbook",
          targetRevision: "HEAD",
        },
      ],
    }),
    application("cluster-kind", "that gives itself all rights inside", byKinds, {
      source: source("cluster-kind"),
    }),
    application("namespaced-kind", "with a kind that is not listed", byKinds, {
      source: source("namespaced-kind"),
    }),
    application("escaping-namespace", "whose manifest names another namespace", byRegistration, {
      source: source("other-namespace"),
    }),
    application(
      "of-applications",
      "with an Application for the host in it",
      { expected: "Argo CD" },
      {
        source: source("application"),
      },
    ),
    asArgocd(
      "other-namespace",
      "change what is in kube-system inside",
      "/api/v1/namespaces/kube-system/configmaps",
      { metadata: { name: ground.scratch } },
    ),
    asArgocd(
      "cluster-role",
      "give itself all rights inside",
      "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
      {
        metadata: { name: ground.scratch },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "cluster-admin",
        },
      },
    ),
    asArgocd(
      "impersonating-token",
      "make a token of another service account inside",
      "/api/v1/namespaces/kube-system/serviceaccounts/default/token",
      { spec: {} },
    ),
    asArgocd(
      "webhook",
      "make a webhook inside",
      "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
      { metadata: { name: ground.scratch } },
    ),
    {
      area: "permitted",
      id: "application",
      what: "an Application of its repository in its project",
      expected: "nobody",
      run: async () =>
        await outcome(ground, "permitted", {
          project: ground.tenant.name,
          source: source("fine"),
          destination: own,
        }),
    },
    {
      area: "permitted",
      id: "argocd-token",
      what: "Argo CD to deploy into the project's namespace inside",
      expected: "nobody",
      run: async () =>
        await ground.dryRun(ground.argocdInside, "/api/v1/namespaces/default/configmaps", {
          metadata: { name: ground.scratch },
        }),
    },
  ];
}

/** Words by which Argo CD refuses because of a project. */
const PROJECT =
  /is not permitted in project|do not match any of the allowed destinations|not permitted to use project|is not allowed in project|no clusters with this name|not permitted in project/i;

/** Makes an Application, has it synced, and waits for what Argo CD says. */
async function outcome(ground: Ground, id: string, spec: object): Promise<Answer> {
  await makeBranch(ground);
  const namespace = ground.field.settings.argocd.namespace;
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/applications`;
  const name = `${ground.scratch}-${id}`;
  await ground.host.get(z.unknown(), {
    method: "POST",
    path,
    body: {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Application",
      metadata: { name, labels: ground.runLabels },
      spec,
      operation: { sync: { syncStrategy: { apply: {} } } },
    },
  });
  return await ground.awaited(`Argo CD on Application ${name}`, async () => {
    const { status } = await ground.host.get(Application, { path: `${path}/${name}` });
    const { operationState } = status;
    if (operationState?.phase === "Succeeded") {
      return { by: "nobody", text: operationState.message } as const;
    }
    const over = operationState !== undefined && operationState.phase !== "Running";
    const text = [
      ...status.conditions.map(({ message }) => message),
      ...(over
        ? [
            operationState.message,
            ...(operationState.syncResult?.resources ?? []).map(({ message }) => message),
          ]
        : []),
    ]
      .filter((message) => message !== "")
      .join("; ");
    if (text === "") return undefined;
    if (PROJECT.test(text)) return { by: "Argo CD project", text } as const;
    // A cluster is registered with the namespaces that Argo CD may look at.
    if (/namespace "[^"]+" for .* is not managed/.test(text)) {
      return { by: "Argo CD registration", text } as const;
    }
    return over ? ({ by: "Argo CD", text } as const) : undefined;
  });
}

const Repository = z.object({ default_branch: z.string() });
const Ref = z.object({ object: z.object({ sha: z.string() }) });

/** Makes the run's branch, which nothing follows, and commits each folder to it. */
export async function makeBranch(ground: Ground): Promise<void> {
  const { repository, branch } = ground;
  await ground.once("branch", async () => {
    const { default_branch: main } = await repository.get(Repository, "GET", "");
    const { object } = await repository.get(Ref, "GET", `/git/ref/heads/${main}`);
    await repository.get(z.unknown(), "POST", "/git/refs", {
      ref: `refs/heads/${branch}`,
      sha: object.sha,
    });
    for (const [folder, manifest] of Object.entries(FOLDERS)) {
      await repository.get(z.unknown(), "PUT", `/contents/${folder}/manifest.json`, {
        message: `conformance: ${folder}`,
        branch,
        content: Buffer.from(JSON.stringify(manifest(ground))).toString("base64"),
      });
    }
  });
}
