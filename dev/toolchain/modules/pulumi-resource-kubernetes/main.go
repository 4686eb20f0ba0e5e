// Command pulumi-resource-kubernetes is the Pulumi Kubernetes provider, built
// from its published module. The schema and the Terraform mapping that the
// release embeds are generated files outside the module; the provider reads
// them only to answer GetSchema and GetMapping, which running a program never
// asks, so an empty object stands in their place.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	empty := []byte("{}")
	provider.Serve("kubernetes", version.Version, empty, empty)
}
