package awsstub

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// SchemaVariable names the environment variable that tells a served stub which
// schema to serve, as a file that Save wrote.
const SchemaVariable = "REDOUBT_AWS_STUB_SCHEMA"

// StartedByTerraform tells a program that it was started as a provider.
func StartedByTerraform() bool { return os.Getenv("TF_PLUGIN_MAGIC_COOKIE") != "" }

// Serve is the provider: it answers Terraform until that is done with it.
func Serve() error {
	schema, err := Load(os.Getenv(SchemaVariable))
	if err != nil {
		return err
	}
	answer, err := schema.protocol()
	if err != nil {
		return err
	}
	return tf5server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov5.ProviderServer { return server{schema: answer} })
}

// errNoAWS is the answer to everything that the real provider would ask AWS for.
var errNoAWS = errors.New("this provider has the schema of hashicorp/aws only and never talks to AWS: use mock_provider")

// server answers with the schema, which Terraform itself compares configurations with,
// and adds the one thing of it that Terraform leaves to providers: see unsettable.
type server struct {
	// Whatever is not answered below is a bug in what uses the stub, and panics.
	tfprotov5.ProviderServer
	schema *tfprotov5.GetProviderSchemaResponse
}

func (s server) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	metadata := &tfprotov5.GetMetadataResponse{ServerCapabilities: s.schema.ServerCapabilities}
	for name := range s.schema.ResourceSchemas {
		metadata.Resources = append(metadata.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range s.schema.DataSourceSchemas {
		metadata.DataSources = append(metadata.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return metadata, nil
}

func (s server) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return s.schema, nil
}

func (server) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (server) PrepareProviderConfig(_ context.Context, request *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (server) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return nil, errNoAWS
}

func (server) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (s server) ValidateResourceTypeConfig(_ context.Context, request *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	problems, err := unsettable(s.schema.ResourceSchemas[request.TypeName], request.Config)
	return &tfprotov5.ValidateResourceTypeConfigResponse{Diagnostics: problems}, err
}

func (s server) ValidateDataSourceConfig(_ context.Context, request *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	problems, err := unsettable(s.schema.DataSourceSchemas[request.TypeName], request.Config)
	return &tfprotov5.ValidateDataSourceConfigResponse{Diagnostics: problems}, err
}

func (server) PlanResourceChange(context.Context, *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	return nil, errNoAWS
}

func (server) ApplyResourceChange(context.Context, *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	return nil, errNoAWS
}

func (server) ReadResource(context.Context, *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return nil, errNoAWS
}

func (server) ReadDataSource(context.Context, *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	return nil, errNoAWS
}

// protocol is the schema in the words of Terraform's plugin protocol.
func (s *Schema) protocol() (*tfprotov5.GetProviderSchemaResponse, error) {
	provider, err := s.Provider.protocol()
	if err != nil {
		return nil, fmt.Errorf("schema of the provider: %w", err)
	}
	answer := &tfprotov5.GetProviderSchemaResponse{
		ServerCapabilities: &tfprotov5.ServerCapabilities{GetProviderSchemaOptional: true},
		Provider:           &tfprotov5.Schema{Block: provider},
		ResourceSchemas:    map[string]*tfprotov5.Schema{},
		DataSourceSchemas:  map[string]*tfprotov5.Schema{},
	}
	for name, block := range s.Resources {
		inner, err := block.protocol()
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", name, err)
		}
		answer.ResourceSchemas[name] = &tfprotov5.Schema{Block: inner}
	}
	for name, block := range s.DataSources {
		inner, err := block.protocol()
		if err != nil {
			return nil, fmt.Errorf("schema of data source %s: %w", name, err)
		}
		answer.DataSourceSchemas[name] = &tfprotov5.Schema{Block: inner}
	}
	return answer, nil
}

var nestings = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
}

func (b *Block) protocol() (*tfprotov5.SchemaBlock, error) {
	block := &tfprotov5.SchemaBlock{}
	for _, name := range sortedKeys(b.Attributes) {
		attribute := b.Attributes[name]
		//lint:ignore SA1019 deprecated for use outside of tools that read Terraform's JSON, which this is
		kind, err := tftypes.ParseJSONType(attribute.Type)
		if err != nil {
			return nil, fmt.Errorf("type of %s: %w", name, err)
		}
		block.Attributes = append(block.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: kind, Required: attribute.Required, Optional: attribute.Optional, Computed: attribute.Computed,
		})
	}
	for _, name := range sortedKeys(b.Blocks) {
		nested := b.Blocks[name]
		inner, err := nested.Block.protocol()
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", name, err)
		}
		mode, ok := nestings[nested.Nesting]
		if !ok {
			return nil, fmt.Errorf("block %s is nested as %q", name, nested.Nesting)
		}
		entry := &tfprotov5.SchemaNestedBlock{TypeName: name, Block: inner, Nesting: mode}
		if nested.Nesting != "single" {
			entry.MinItems, entry.MaxItems = int64(nested.Min), int64(nested.Max)
		}
		block.BlockTypes = append(block.BlockTypes, entry)
	}
	return block, nil
}
