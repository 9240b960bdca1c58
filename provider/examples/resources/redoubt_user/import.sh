# His passwords are sent with the first apply.
terraform import redoubt_user.shop shop
