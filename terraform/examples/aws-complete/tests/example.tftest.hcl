mock_provider "aws" {
  source = "../../aws/tests/mocks"
}

variables {
  redoubt_binary = { url = "s3://artifacts/redoubt", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  etcd_binary    = { url = "s3://artifacts/etcd.tar.gz", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  client_cidrs   = ["10.0.0.0/16"]
  clusters       = ["shop"]
  alarm_email    = "oncall@example.com"
}

run "applies" {
  assert {
    condition     = output.endpoint == "https://control.redoubt.internal:8443"
    error_message = "The example has an endpoint for the provider."
  }
  assert {
    condition     = contains(module.redoubt.alarm_names, "redoubt-no-primary-shop")
    error_message = "The example watches its databases."
  }
}
