// Command pulumi-resource-github is the Pulumi GitHub provider: the published
// Terraform provider behind the published Pulumi bridge, with the tokens and
// defaults of the official plugin.
package main

import (
	"github.com/integrations/terraform-provider-github/v6/github"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
)

// Version is that of the official plugin that bridges the same Terraform
// provider. It is stamped by the linker.
var Version = "0.0.0"

func main() {
	provider := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(github.NewProvider(Version, "none")()),
		Name:    "github",
		Version: Version,
		Config: map[string]*tfbridge.SchemaInfo{
			"base_url": {Default: &tfbridge.DefaultInfo{
				EnvVars: []string{"GITHUB_BASE_URL"},
				Value:   "https://api.github.com/",
			}},
			"token": {Default: &tfbridge.DefaultInfo{EnvVars: []string{"GITHUB_TOKEN"}}},
		},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	provider.MustComputeTokens(tokens.SingleModule("github_", "index", tokens.MakeStandard("github")))
	provider.SetAutonaming(255, "-")
	tfbridge.Main("github", Version, provider, []byte("{}"))
}
