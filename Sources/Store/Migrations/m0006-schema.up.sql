-- What belongs to the job system itself, apart from the business's own tables.

create schema backhaul;
