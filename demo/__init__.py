"""The demonstration: a Python ISP, its payment gateway, its customers' webhooks, and Backhaul."""
