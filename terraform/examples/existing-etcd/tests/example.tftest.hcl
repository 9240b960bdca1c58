mock_provider "aws" {
  source = "../../aws/tests/mocks"
}

variables {
  region         = "eu-central-1"
  vpc_id         = "vpc-1"
  subnet_ids     = { "eu-central-1a" = "subnet-1", "eu-central-1b" = "subnet-2", "eu-central-1c" = "subnet-3" }
  ami_id         = "ami-1"
  redoubt_binary = { url = "https://example.com/redoubt", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  etcd = {
    endpoints  = ["https://etcd-0.example.com:2379", "https://etcd-1.example.com:2379", "https://etcd-2.example.com:2379"]
    cidrs      = ["192.0.2.0/24"]
    parameters = { ca = "/redoubt/etcd/ca", certificate = "/redoubt/etcd/certificate", key = "/redoubt/etcd/key" }
  }
  store = {
    url         = "s3://redoubt/prod"
    region      = "us-east-1"
    endpoint    = "https://objects.example.com"
    cidrs       = ["198.51.100.0/24"]
    credentials = { access_key_parameter = "/redoubt/s3/access-key", secret_key_parameter = "/redoubt/s3/secret-key" }
  }
  zone_id           = "Z1"
  control_host_name = "redoubt.example.internal"
  client_cidrs      = ["10.0.0.0/16"]
}

run "applies" {
  assert {
    condition     = output.endpoint == "https://redoubt.example.internal:8443"
    error_message = "The example has an endpoint for the provider."
  }
  assert {
    condition     = strcontains(module.hosts.files["/etc/redoubt/machine.env"], "--etcd=https://etcd-0.example.com:2379,https://etcd-1.example.com:2379,https://etcd-2.example.com:2379")
    error_message = "Hosts use the etcd that is there."
  }
  assert {
    condition     = strcontains(module.hosts.files["/etc/redoubt/machine.env"], "KEY_PARAMETER=\"/redoubt/etcd/key\"") && !strcontains(module.hosts.files["/etc/redoubt/machine.env"], "CA_ARN")
    error_message = "Certificates come from parameters."
  }
}
