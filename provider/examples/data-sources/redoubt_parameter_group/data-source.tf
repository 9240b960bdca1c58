data "redoubt_parameter_group" "shop" {
  name = "shop"
}
