resource "redoubt_acl" "shop" {
  name       = "shop"
  user_names = [redoubt_user.shop.user_name]
}
