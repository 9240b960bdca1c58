variable "shop_password" {
  type      = string
  ephemeral = true
}

resource "redoubt_user" "shop" {
  user_name     = "shop"
  access_string = "on ~shop:* +@read +@write"

  authentication_mode {
    type                 = "password"
    passwords_wo         = [var.shop_password]
    passwords_wo_version = 1 # another number whenever the password is another
  }
}
