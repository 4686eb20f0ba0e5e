import type * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** A value, as a Pulumi secret, out of a Secret that something in the cluster fills. */
export function secretValue(secret: kubernetes.core.v1.Secret, key: string): pulumi.Output<string> {
  // The preview of its creation shows the Secret as it is made, empty. Its id is not known by then,
  // and what depends on the id is not known either: so nobody asks for the value too early.
  const value = pulumi.all([secret.id, secret.data]).apply(([id, data]) => {
    const encoded = data[key];
    if (encoded === undefined) throw new Error(`Secret ${id} has no ${key}`);
    return Buffer.from(encoded, "base64").toString();
  });
  return pulumi.secret(value);
}
