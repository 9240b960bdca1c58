data "redoubt_user" "shop" {
  user_name = "shop"
}
