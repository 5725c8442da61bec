-- Seconds since a flush last ended; 0 while one is under way, Infinity before the first.
--
-- Under way is one whose session holds the lock `stores.postgres_session.FLUSH_LOCK`: a flush that takes long is
-- no missing one, and one that hangs loses its session by the time-outs there.
-- Asked by `history`, and by dev/flush_age.py, which must not import the application.
SELECT CASE WHEN EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                          WHERE d.datname = current_database() AND l.locktype = 'advisory'
                            AND l.objid = 1954047596 AND l.objsubid = 1 AND l.granted)
            THEN 0
            ELSE (SELECT coalesce(extract(epoch FROM now() - max(flushed_at))::float, 'Infinity')
                    FROM transactions_epoch)
       END
