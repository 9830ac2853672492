// Reads a table with @odata/client. Called by check.py: client.js SERVICE KEY SET; prints what it got as JSON.
const { OData } = require("@odata/client");

async function main([serviceEndpoint, password, name]) {
  const client = OData.New4({ serviceEndpoint, credential: { username: "x", password } });
  const set = client.getEntitySet(name);
  const filter = OData.newFilter().field("pm25").gt(100).field("tram").eqString("Trạm 3");
  const got = {
    count: await set.count(),
    filtered: await set.query(OData.newOptions().filter(filter).select(["so", "tram", "pm25"]).orderby("so", "desc").top(5)),
    skipped: await set.query(OData.newOptions().skip(10).top(2)),
    found: await set.find({ so: 42 }),
  };
  try {
    await client.getEntitySet("khong_co").query();
    got.refused = null;
  } catch (error) {
    got.refused = String(error.message);
  }
  console.log(JSON.stringify(got));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
