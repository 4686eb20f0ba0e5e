import type { Attempt } from "../attempt.ts";
import type { Ground, PodSpec } from "../ground.ts";
import {
  byPodSecurity,
  byPolicy,
  container,
  deploymentOnHost,
  podInside,
  security,
  toBePermitted,
} from "./pods.ts";

const byHostAccess = byPolicy("host-access", "policy host-access");

/** Ways to the node. */
export function escapeAttempts({ isolation }: Ground): Attempt[] {
  const inside = (id: string, what: string, change: Parameters<typeof podInside>[4]) =>
    podInside("escape", id, what, byPodSecurity, change);
  // What only the standard `restricted` refuses.
  const strict = (id: string, what: string, change: Parameters<typeof podInside>[4]) =>
    podInside(
      "escape",
      id,
      what,
      isolation === "restricted" ? byPodSecurity : toBePermitted,
      change,
    );
  const template = (id: string, what: string, change: (spec: PodSpec) => void): Attempt => ({
    area: "escape",
    id: `template-${id}`,
    what: `a Deployment on the host ${what}`,
    ...byHostAccess,
    run: async (ground) =>
      await ground.dryRun(
        ground.host,
        `/apis/apps/v1/namespaces/${ground.tenant.namespace}/deployments`,
        deploymentOnHost(ground, change),
      ),
  });
  const hostPath = [{ name: "host", hostPath: { path: "/" } }];
  return [
    inside("privileged", "a privileged container", (pod) => {
      security(pod, { privileged: true, allowPrivilegeEscalation: true });
    }),
    inside("host-path", "a volume of the node's files", (pod) => {
      pod.spec["volumes"] = hostPath;
    }),
    inside("host-network", "the node's network", (pod) => {
      pod.spec["hostNetwork"] = true;
    }),
    inside("host-pid", "the node's processes", (pod) => {
      pod.spec["hostPID"] = true;
    }),
    inside("host-ipc", "the node's shared memory", (pod) => {
      pod.spec["hostIPC"] = true;
    }),
    inside("host-port", "a port of the node", (pod) => {
      container(pod, { ports: [{ containerPort: 80, hostPort: 30080 }] });
    }),
    inside("capability", "the capability SYS_ADMIN", (pod) => {
      security(pod, { capabilities: { drop: ["ALL"], add: ["SYS_ADMIN"] } });
    }),
    inside("seccomp-unconfined", "every system call", (pod) => {
      security(pod, { seccompProfile: { type: "Unconfined" } });
    }),
    inside("apparmor-unconfined", "no AppArmor profile", (pod) => {
      security(pod, { appArmorProfile: { type: "Unconfined" } });
    }),
    inside("selinux-type", "an SELinux type of its choice", (pod) => {
      security(pod, { seLinuxOptions: { type: "spc_t" } });
    }),
    inside("unsafe-sysctl", "a kernel parameter of the node", (pod) => {
      pod.spec["securityContext"] = {
        ...securityContext(pod.spec),
        sysctls: [{ name: "kernel.msgmax", value: "1" }],
      };
    }),
    strict("root-user", "to run as root", (pod) => {
      pod.spec["securityContext"] = { seccompProfile: { type: "RuntimeDefault" } };
    }),
    strict("privilege-escalation", "to gain privileges by setuid", (pod) => {
      security(pod, { allowPrivilegeEscalation: true });
    }),
    strict("default-capabilities", "a container runtime's default capabilities", (pod) => {
      security(pod, { capabilities: {} });
    }),
    template("privileged", "with a privileged container", (spec) => {
      container({ metadata: {}, spec }, { securityContext: { privileged: true } });
    }),
    template("host-path", "with a volume of the node's files", (spec) => {
      spec["volumes"] = hostPath;
    }),
    template("host-network", "in the node's network", (spec) => {
      spec["hostNetwork"] = true;
    }),
    template("host-pid", "among the node's processes", (spec) => {
      spec["hostPID"] = true;
    }),
    template("host-ipc", "in the node's shared memory", (spec) => {
      spec["hostIPC"] = true;
    }),
    template("host-port", "on a port of the node", (spec) => {
      container({ metadata: {}, spec }, { ports: [{ containerPort: 80, hostPort: 30080 }] });
    }),
    template("privileged-init", "with a privileged init container", (spec) => {
      spec["initContainers"] = [
        { ...spec.containers[0], name: "init", securityContext: { privileged: true } },
      ];
    }),
    {
      area: "escape",
      id: "cronjob-host-path",
      what: "a CronJob on the host with a volume of the node's files",
      ...byHostAccess,
      run: async (ground) => {
        const { spec } = ground.syncedPod();
        return await ground.dryRun(
          ground.host,
          `/apis/batch/v1/namespaces/${ground.tenant.namespace}/cronjobs`,
          {
            metadata: { name: ground.scratch },
            spec: {
              schedule: "0 0 1 1 *",
              suspend: true,
              jobTemplate: { spec: { template: { spec: { ...spec, volumes: hostPath } } } },
            },
          },
        );
      },
    },
    {
      area: "escape",
      id: "own-stateful-set",
      what: "a control plane that was taken over, to make itself privileged",
      ...byHostAccess,
      run: async (ground) =>
        await ground.ask(ground.controlPlane, {
          method: "PATCH",
          path: `/apis/apps/v1/namespaces/${ground.tenant.namespace}/statefulsets/${ground.tenant.name}?dryRun=All`,
          contentType: "application/strategic-merge-patch+json",
          body: {
            spec: {
              template: {
                spec: {
                  containers: [
                    {
                      name: "syncer",
                      securityContext: { privileged: true, allowPrivilegeEscalation: true },
                    },
                  ],
                },
              },
            },
          },
        }),
    },
  ];
}

function securityContext(spec: PodSpec): object {
  const context = spec["securityContext"];
  return typeof context === "object" && context !== null ? context : {};
}
