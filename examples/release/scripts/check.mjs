// Stands in for a check that takes a while.
console.log(`${process.argv[2]}: in order`);
