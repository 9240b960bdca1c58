// Package terraform_test runs terraform over the modules and examples, against a
// provider that has the schema of hashicorp/aws and nothing else (internal/awsstub),
// and the scripts that the machines run, against real etcd and a stand-in for aws.
package terraform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	output, err := exec.Command("terraform", "fmt", "-check", "-recursive", "-diff", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("terraform fmt -recursive would change:\n%s", output)
	}
}

var passed = regexp.MustCompile(`Success! [1-9]\d* passed, 0 failed`)

// TestModules validates every root against the provider's schema and runs its tests.
func TestModules(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, root := range []string{"aws", "examples/aws-complete", "examples/existing-etcd"} {
		t.Run(root, func(t *testing.T) {
			t.Parallel()
			b.mustRun(t, root, "init", "-no-color", "-backend=false")
			b.mustRun(t, root, "validate", "-no-color")
			output, err := b.run(root, "test", "-no-color")
			if err != nil {
				t.Fatalf("terraform test in %s: %v\n%s", root, err, output)
			}
			if !passed.MatchString(output) {
				t.Fatalf("terraform test in %s ran nothing:\n%s", root, output)
			}
		})
	}
}

// TestTypoInModule shows that what TestModules passes is looked at.
func TestTypoInModule(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := filepath.Join(b.dir, "aws/modules/launch/main.tf")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(content), "http_tokens ", "http_token ", 1)
	if wrong == string(content) {
		t.Fatal("the module has no http_tokens to misspell")
	}
	write(t, file, wrong)
	b.mustRun(t, "examples/existing-etcd", "init", "-no-color", "-backend=false")
	output, err := b.run("examples/existing-etcd", "validate", "-no-color")
	if err == nil || !strings.Contains(output, `An argument named "http_token" is not expected here`) {
		t.Fatalf("terraform validate lets a misspelt argument pass: %v\n%s", err, output)
	}
}

// TestSchemaRefuses is what the stub makes terraform see.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const providers = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n"
	const folder = "probe"
	probe := func(t *testing.T, body string) {
		write(t, filepath.Join(b.dir, folder, "main.tf"), providers+body)
	}
	const good = `
resource "aws_volume_attachment" "x" {
  device_name = "/dev/sdf"
  instance_id = "i-1"
  volume_id   = aws_ebs_volume.x.id
}
resource "aws_ebs_volume" "x" {
  availability_zone = "a"
  size              = 10
}
resource "aws_instance" "x" {
  ami = "ami-1"
  metadata_options {
    http_tokens = "required"
  }
}
data "aws_subnet" "x" {
  id = "subnet-1"
}
`
	probe(t, good)
	b.mustRun(t, folder, "init", "-no-color", "-backend=false")
	b.mustRun(t, folder, "validate", "-no-color")
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown argument", "size  ", "sizes ", `An argument named "sizes" is not expected here`},
		{"missing argument", `  device_name = "/dev/sdf"`, "", `The argument "device_name" is required`},
		{"wrong type", "= 10", `= "big"`, "a number is required"},
		{"unknown block", "metadata_options", "metadata_option", `Blocks of type "metadata_option" are not expected here`},
		{"second block", "metadata_options {", "metadata_options {\n  }\n  metadata_options {", "No more than 1"},
		{"unknown argument in a block", "http_tokens", "http_tokenz", `An argument named "http_tokenz" is not expected here`},
		{"unknown resource", `"aws_ebs_volume" "x"`, `"aws_ebs_disk" "x"`, `does not support resource type "aws_ebs_disk"`},
		{"computed attribute", "size  ", "arn = \"x\"\n  size  ", `The value of "arn" is decided by AWS`},
		{"unknown attribute", "aws_ebs_volume.x.id", "aws_ebs_volume.x.identity", `no argument, nested block, or exported attribute named "identity"`},
		{"unknown argument of a data source", `  id = "subnet-1"`, `  ident = "subnet-1"`, `An argument named "ident" is not expected here`},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := strings.Replace(good, c.old, c.new, 1)
			if body == good {
				t.Fatal("nothing changed")
			}
			probe(t, body)
			output, err := b.run(folder, "validate", "-no-color")
			if flat := strings.Join(strings.Fields(output), " "); err == nil || !strings.Contains(flat, c.want) {
				t.Fatalf("terraform validate: %v, want %q in\n%s", err, c.want, output)
			}
		})
	}
}
