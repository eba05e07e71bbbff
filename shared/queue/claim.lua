-- claim: lease up to want ready jobs; say what is due, what has expired and when to look again.
-- ARGV: want lease_ms worker.
return claim('OK', int(ARGV[1]), int(ARGV[2]), ARGV[3])
