terraform import redoubt_snapshot.shop shop
