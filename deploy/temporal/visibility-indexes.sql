-- Temporal's visibility table has an index for every attribute that a workflow may have, and by
-- default an entry in each for every workflow. An index of an attribute that may be missing gets
-- entries for those workflows only that have it. Queries find the same, and use the same indexes.
-- Safe to run again, as after an upgrade; on a table with many workflows it takes its time.
do $$
declare
  one record;
begin
  for one in
    select i.indexrelid::regclass as name, pg_get_indexdef(i.indexrelid) as definition,
      a.attname as attribute
    from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[1]
    where i.indrelid = 'executions_visibility'::regclass
      and i.indpred is null and not i.indisunique and not a.attnotnull
      -- Every list asks for workflows without it.
      and a.attname <> 'temporalnamespacedivision'
  loop
    execute format('drop index %s', one.name);
    execute one.definition || format(' where %I is not null', one.attribute);
  end loop;
end $$;
