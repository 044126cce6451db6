-- What the reducers `flights` and `flights-v2` come to, computed a second time: from the lines of
-- the log, in another language. They differ in the minutes from which on a flight is late.
--
--   given   lines(partition, "offset", line)
--   makes   refused, counts; view and delay, each with a column `version`; parted: the events of
--           each key in which its versions differ
--
-- Params are those of examples/flights/retally.toml. Nothing in this log is refused or comes twice.

create macro good_from() as 0.8000;
create macro fair_from() as 0.6000;

create table flights as
with read as (
    select partition, "offset", line::json as line from lines
)
select partition, "offset", line ->> 'aircraft' as key, line ->> 'id' as id,
    (line ->> 'scheduled')::timestamptz as time, line ->> 'origin' as origin, line ->> 'dest' as dest,
    (line ->> 'dep_delay')::bigint as dep_delay
from read;

create table refused as
select null::text as partition, null::bigint as "offset", null::text as what, null::text as code
where false;

create table counts as
select count(*) as events, 0 as ignored, count(*) - count(distinct (key, id)) as duplicates
from flights;

create table delay as
select version, partition, "offset", 0 as seq, time, key, id as event_id, origin, dest,
    dep_delay as minutes
from flights, (values ('a', 1), ('b', 15)) as versions(version, delayed_from)
where dep_delay >= delayed_from;

-- Of two whole numbers above 0, rounded to the nearest, halves to the even one.
create macro quotient(n, d) as n // d + case
    when 2 * (n % d) > d or (2 * (n % d) = d and (n // d) % 2 = 1) then 1 else 0
end;

create table view as
with scheduled as (
    select key, origin, count(*) as flights, count(*) filter (dep_delay is null) as cancelled
    from flights
    group by key, origin
),
late as (
    select version, key, origin, count(*) as delayed, sum(minutes)::bigint as delay_minutes,
        max(minutes) as longest
    from delay
    group by version, key, origin
),
shares as (
    select version, key, origin, flights, cancelled, coalesce(delayed, 0) as delayed,
        coalesce(delay_minutes, 0) as delay_minutes, coalesce(longest, 0) as longest,
        quotient((flights - cancelled - coalesce(delayed, 0)) * 10000, flights) * 0.0001 as on_time
    from scheduled cross join (values ('a'), ('b')) as versions(version)
        left join late using (version, key, origin)
)
select *, case
        when on_time >= good_from() then 'good'
        when on_time >= fair_from() then 'fair'
        else 'poor'
    end as rating
from shares;

create table parted as
select partition, "offset", key, id, time, 'departed' as input
from flights
where dep_delay >= 1 and dep_delay < 15;
