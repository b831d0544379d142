drop table ledger;
drop function refuse_unbalanced_source();
drop table payment_attempts;
drop table invoices;
drop function refuse_change();
