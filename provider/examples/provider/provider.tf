terraform {
  required_version = ">= 1.11"
  required_providers {
    redoubt = {
      source = "terraform.local/redoubtdb/redoubt"
    }
  }
}

# The token is in the variable REDOUBT_TOKEN.
provider "redoubt" {
  endpoint = "https://control.example.com:8443"
  ca_file  = "redoubt-ca.pem"
}
