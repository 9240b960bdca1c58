resource "redoubt_parameter_group" "shop" {
  name = "shop"

  parameter {
    name  = "timeout"
    value = "300"
  }

  parameter {
    name  = "slowlog-log-slower-than"
    value = "5000"
  }
}
