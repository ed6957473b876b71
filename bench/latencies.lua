-- For wrk: say at its end how often each latency occurred, in microseconds, so that runs can be put together.
done = function(_, latencies)
  for number = 1, #latencies do
    io.write(string.format("latency %d %d\n", latencies(number)))
  end
end
