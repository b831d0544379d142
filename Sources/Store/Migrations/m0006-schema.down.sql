drop schema backhaul;
