ephemeral "redoubt_connection" "shop" {
  cluster_name = redoubt_cluster.shop.id
  user_name    = redoubt_user.shop.user_name
  password     = var.shop_password
}

# Where write-only arguments are taken, as in aws_ssm_parameter's value_wo, the URI goes
# straight there. Here a key is written when the cluster is new.
resource "terraform_data" "first_key" {
  triggers_replace = redoubt_cluster.shop.id

  provisioner "local-exec" {
    command = "printf %s \"$CA\" >shop-ca.pem && redis-cli -u \"$URI\" --cacert shop-ca.pem set shop:opened \"$(date)\""
    environment = {
      URI = ephemeral.redoubt_connection.shop.uri
      CA  = ephemeral.redoubt_connection.shop.ca_certificate
    }
  }
}
