/**
 * Annotations that make Pulumi wait, on create and update, until the live object matches every
 * condition; on delete, until it is gone. Past the timeout the run fails, naming the object.
 *
 * @param conditions such as `jsonpath={.status.phase}=Bound`
 * @param timeoutSeconds for each of these waits
 */
export function awaitAnnotations(
  conditions: readonly [string, ...string[]],
  timeoutSeconds: number,
): Record<string, string> {
  return {
    "pulumi.com/waitFor": conditions.length > 1 ? JSON.stringify(conditions) : conditions[0],
    "pulumi.com/timeoutSeconds": `${timeoutSeconds}`,
  };
}
