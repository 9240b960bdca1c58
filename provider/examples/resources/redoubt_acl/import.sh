terraform import redoubt_acl.shop shop
